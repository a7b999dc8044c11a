"""What a user may look at: rooms, messages, notifications."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hypothesis import strategies as st

from tests.model import shapes
from tests.model.chat import NOWHERE, Chat, Message, Person, Refused, refuse
from tests.model.registry import (
    MALFORMED,
    UNKNOWN,
    find_room,
    message_by,
    mostly,
    pick,
    room_by,
    tries,
)

#: The largest page, by default.
LARGEST = 100
sizes = mostly(1, 2, 3, 1000, but=[0])


@tries("room.list", 3)
def list_rooms(chat: Chat, me: Person) -> Generator[Any, None, None]:
    """Look at one's rooms."""
    yield {}

    rooms = sorted(chat.rooms_of(me), key=lambda room: (-room.activity, -room.born))
    chat.answer("roomlist.dispatch", [shapes.summary(room, me) for room in rooms])


@tries("room.info", place=pick)
def room_info(chat: Chat, me: Person, place: int) -> Generator[Any, None, None]:
    """Look at a room."""
    named = room_by(chat, me, place)
    yield {"room_id": named.id}

    room = find_room(named)
    chat.enter(room, me)
    chat.answer("roominfo.dispatch", shapes.detail(room))


@tries("room.messages", place=pick)
def newest_messages(chat: Chat, me: Person, place: int) -> Generator[Any, None, None]:
    """Look at what was said last."""
    named = room_by(chat, me, place)
    yield {"room_id": named.id}

    room = find_room(named)
    chat.enter(room, me)
    newest = room.messages[::-1][:LARGEST]
    chat.answer("roommessages.dispatch", {"data": _messages(room.id, newest)})


@tries("room.messages", place=pick, page=mostly(1, 2, 3, but=[0, None]), size=sizes)
def page_of_messages(
    chat: Chat, me: Person, place: int, page: int | None, size: int
) -> Generator[Any, None, None]:
    """Look at a page by its number."""
    named = room_by(chat, me, place)
    paginate = {"size": size} if page is None else {"page": page, "size": size}
    yield {"room_id": named.id, "paginate": paginate}

    named.check_form()
    refuse(4003, if_=page is None or page < 1 or size < 1)
    room = find_room(named)
    chat.enter(room, me)
    number, most = page or 1, min(size, LARGEST)
    messages = room.messages[::-1]
    has_next, has_previous = len(messages) > number * most, number > 1
    answer = {
        "has_next": has_next,
        "has_previous": has_previous,
        "next_page_number": number + 1 if has_next else None,
        "prev_page_number": number - 1 if has_previous else None,
        "page": number,
        "size": most,
        "data": _messages(room.id, messages[(number - 1) * most : number * most]),
    }
    chat.answer("roommessages.dispatch", answer)


@tries(
    "room.messages",
    which=pick,
    place=pick,
    stray=st.integers(0, 3),
    older=st.booleans(),
    size=sizes,
)
def messages_from(
    chat: Chat, me: Person, which: int, place: int, stray: int, older: bool, size: int
) -> Generator[Any, None, None]:
    """Look at a page from a message on, mostly in its own room."""
    cursor, named = message_by(chat, me, which), room_by(chat, me, place)
    room_id = named.id if stray == 0 or cursor.what is None else cursor.what.room.id.value
    yield {
        "room_id": room_id,
        "paginate": {"before" if older else "after": cursor.id, "size": size},
    }

    cursor.check_form()
    refuse(4003, if_=size < 1)
    room = find_room(named) if room_id == named.id else cursor.what.room
    chat.enter(room, me)
    message: Message = cursor.find()
    refuse(4004, if_=message.room is not room)
    most = min(size, LARGEST)
    if older:
        found = [each for each in room.messages[::-1] if each.born < message.born]
        has_next, has_previous, shown = len(found) > most, True, found[:most]
    else:
        found = [each for each in room.messages if each.born > message.born]
        has_next, has_previous, shown = True, len(found) > most, found[:most][::-1]
    answer = {
        "has_next": has_next,
        "has_previous": has_previous,
        "size": most,
        "data": _messages(room.id, shown),
    }
    chat.answer("roommessages.dispatch", answer)


def _messages(room_id: Any, messages: list[Message]) -> dict[str, Any]:
    return {"room_id": room_id, "messages": [shapes.message(each) for each in messages]}


@tries("notification.list", size=st.none() | sizes, before=st.none() | pick)
def list_notifications(
    chat: Chat, me: Person, size: int | None, before: int | None
) -> Generator[Any, None, None]:
    """Look at what waits."""
    # Of those that have been seen the ids are known.
    seen = [each for each in chat.waiting(me) if each.id.value is not None]
    cursor: Any = None
    if before == MALFORMED:
        cursor = "x"
    elif before is not None and (before == UNKNOWN or not seen):
        cursor = NOWHERE
    elif before is not None:
        cursor = seen[before % len(seen)].id.value
    paginate = {"size": size, "before": cursor}
    given = {name: value for name, value in paginate.items() if value is not None}
    yield {"paginate": given} if given else {}

    refuse(4003, if_=cursor == "x" or (cursor is not None and size is None))
    refuse(4003, if_=size is not None and size < 1)
    waiting = chat.waiting(me)[::-1]
    if cursor is not None:
        place = next((at for at, each in enumerate(waiting) if each.id.value == cursor), None)
        if place is None:
            raise Refused(4004)
        waiting = waiting[place + 1 :]
    most = LARGEST if size is None else min(size, LARGEST)
    answer = {
        "has_next": len(waiting) > most,
        "has_previous": cursor is not None,
        "size": most,
        "data": {"notifications": [shapes.notification(each) for each in waiting[:most]]},
    }
    chat.answer("notificationlist.dispatch", answer)
