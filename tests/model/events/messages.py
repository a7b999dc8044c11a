"""Messages: send, type, edit, delete."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hypothesis import strategies as st

from tests.model import shapes
from tests.model.chat import CHANNEL, GROUP, SEND, Chat, Message, Person, Refused, Room, refuse
from tests.model.registry import (
    Named,
    chance,
    find_all,
    find_room,
    message_by,
    mostly,
    own_message_by,
    pick,
    picks,
    room_by,
    tries,
)
from tests.model.values import Id, Time

#: What is written, and what is stored of it.
CONTENTS = {
    "hello": "hello",
    "<b>bold</b> & <i>so</i>": "<b>bold</b> &amp; <i>so</i>",
    "<u>text</u> stays": "text stays",
    "": "",
    "   ": "   ",
    "x" * 10_001: None,
}
TEXTS = tuple(CONTENTS)
contents = mostly(*TEXTS[:3], but=TEXTS[3:])
LINK = {
    "media_url": "https://example.com/a.png",
    "media_type": "image",
    "mime_type": "image/png",
}
MEDIA: dict[str, dict[str, Any]] = {
    "plain": LINK,
    "full": {**LINK, "file_size": 12, "caption": "<b>A cat</b>", "metadata": {"width": 1}},
    "no link": {**LINK, "media_url": "ftp://example.com/a.png"},
}
media = st.lists(mostly("plain", "full", but=["no link"]), max_size=2)
quotes = mostly(("parent",), ("forward",), but=[("parent", "forward")])


def check_may_send(chat: Chat, me: Person, room: Room) -> None:
    """Refuse who may not write in a room."""
    member = chat.enter(room, me)
    if room.type == GROUP:
        refuse(4002, if_=room.fields["group_locked"] and not room.leads(me))
    elif room.type == CHANNEL:
        refuse(4002, if_=not room.leads(me) and SEND not in member.rights)


def stored_content(content: str, *, required: bool) -> str:
    """What is stored of a content; refused where it may not be."""
    stored = CONTENTS[content]
    if stored is None or (required and not stored.strip()):
        raise Refused(4003)
    return stored


@tries("message.send", 6, place=pick, content=contents, client_id=mostly(None, but=["1", "2"]))
def send_text(
    chat: Chat, me: Person, place: int, content: str, client_id: str | None
) -> Generator[Any, None, None]:
    """Send a text, now and then again."""
    yield from _send(chat, me, place, content, client_id=client_id)


@tries("message.send", place=pick, content=contents, items=media)
def send_media(
    chat: Chat, me: Person, place: int, content: str, items: list[str]
) -> Generator[Any, None, None]:
    """Send links to files."""
    yield from _send(chat, me, place, content, items=items)


@tries("message.send", 4, place=pick, content=contents, by=quotes, quoted=picks)
def send_quote(
    chat: Chat, me: Person, place: int, content: str, by: tuple[str, ...], quoted: list[int]
) -> Generator[Any, None, None]:
    """Answer a message, or pass one on."""
    ids = [quoted[0], quoted[-1]] if len(by) == 2 else [quoted[0]]
    yield from _send(chat, me, place, content, quoted=dict(zip(by, ids, strict=False)))


def _send(
    chat: Chat,
    me: Person,
    place: int,
    content: str,
    *,
    client_id: str | None = None,
    items: list[str] | None = None,
    quoted: dict[str, int] | None = None,
) -> Generator[Any, None, None]:
    named = room_by(chat, me, place)
    found = {by: message_by(chat, me, number) for by, number in (quoted or {}).items()}
    fields = {"parent": "parent_message_id", "forward": "forwarded_from_id"}
    extra: dict[str, Any] = {fields[by]: each.id for by, each in found.items()}
    if items:
        extra["media"] = [MEDIA[each] for each in items]
    data: dict[str, Any] = {"room_id": named.id, "content": content}
    if client_id is not None:
        data["client_id"] = client_id
    yield {**data, "extra_fields": extra} if extra else data

    for each in (named, *found.values()):
        each.check_form()
    room = find_room(named)
    sources: dict[str, Message] = {by: each.find() for by, each in found.items()}
    chat.enter(room, me)
    if client_id is not None and (original := chat.sent.get((me, client_id))) is not None:
        refuse(4004, if_=not original.is_shown)
        chat.enter(original.room, me)
        chat.answer("message.dispatch", shapes.message(original))
        return
    check_may_send(chat, me, room)
    for source in sources.values():
        chat.enter(source.room, me)
    refuse(4003, if_=len(sources) == 2 or any(each.deleted for each in sources.values()))
    refuse(4003, if_="no link" in (items or ()))
    bare = not items and "forward" not in sources
    forwarded = sources.get("forward")
    message = Message(
        room=room,
        sender=me,
        content=stored_content(content, required=bare),
        born=chat.now(),
        parent=sources.get("parent"),
        source=None if forwarded is None else shapes.copy(forwarded, room),
        is_forwarded=forwarded is not None,
        attachments=[_attachment(each) for each in items or ()],
    )
    if client_id is not None:
        chat.sent[me, client_id] = message
    room.messages.append(message)
    chat.messages.append(message)
    chat.notify("REPLY" if message.parent else "NEW_MESSAGE", message, me, message.born)
    chat.broadcast(room, "message.dispatch", shapes.message(message))


def _attachment(item: str) -> dict[str, Any]:
    return {"id": Id(), "file_size": 0, "caption": None, "metadata": {}, **MEDIA[item]}


@tries("message.typing", place=pick, is_typing=st.sampled_from([None, True, False]))
def type_in(
    chat: Chat, me: Person, place: int, is_typing: bool | None
) -> Generator[Any, None, None]:
    """Type, or stop."""
    named = room_by(chat, me, place)
    data: dict[str, Any] = {"room_id": named.id}
    yield data if is_typing is None else {**data, "is_typing": is_typing}

    room = find_room(named)
    check_may_send(chat, me, room)
    told = {
        "username": me.name,
        "user_id": me.id,
        "room_id": room.id,
        "is_typing": is_typing is not False,
    }
    chat.broadcast(room, "messagetyping.dispatch", told, stored=False)


@tries("message.modify", which=picks, content=contents, bare=mostly(True, but=[False]))
def edit(
    chat: Chat, me: Person, which: list[int], content: str, bare: bool
) -> Generator[Any, None, None]:
    """Edit a message."""
    named = [own_message_by(chat, me, each) for each in (which[:1] if bare else which)]
    yield {
        "action": "update",
        "message_id": named[0].id if bare else [each.id for each in named],
        "extra_fields": {"content": content},
    }

    for each in named:
        each.check_form()
    refuse(4003, if_=len(named) > 1)
    message: Message = named[0].find()
    chat.enter(message.room, me)
    refuse(4002, if_=message.sender is not me)
    refuse(4003, if_=message.deleted)
    required = not message.attachments and not message.is_forwarded
    message.content = stored_content(content, required=required)
    message.edited = True
    message.updated = Time()
    data = {"status": "successful", "action": "update", "message": shapes.message(message)}
    chat.broadcast(message.room, "messagemodification.dispatch", data)


@tries("message.modify", 4, which=picks, bare=chance)
def delete(chat: Chat, me: Person, which: list[int], bare: bool) -> Generator[Any, None, None]:
    """Delete messages of one's own."""
    yield from _delete(chat, me, [own_message_by(chat, me, each) for each in which], bare)


@tries("message.modify", 3, which=picks, bare=chance)
def moderate(chat: Chat, me: Person, which: list[int], bare: bool) -> Generator[Any, None, None]:
    """Delete messages, whoever wrote them."""
    yield from _delete(chat, me, [message_by(chat, me, each) for each in which], bare)


def _delete(chat: Chat, me: Person, named: list[Named], bare: bool) -> Generator[Any, None, None]:
    single = bare and len(named) == 1
    ids = [each.id for each in named]
    yield {"action": "delete", "message_id": ids[0] if single else ids}

    messages = find_all(named)
    for message in messages:
        chat.enter(message.room, me)
    for message in messages:
        refuse(4002, if_=message.sender is not me and not message.room.moderates(me))
    room = messages[0].room
    refuse(4003, if_=any(each.room is not room or each.deleted for each in messages))
    for message in messages:
        chat.delete(message)
    data = {
        "status": "successful",
        "action": "delete",
        "message_ids": [message.id for message in messages],
        "deleted_by": me.name,
    }
    chat.broadcast(room, "messagemodification.dispatch", data)
