"""Receipts and reactions: what others do with a message."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hypothesis import strategies as st

from tests.model import shapes
from tests.model.chat import Chat, Message, Person, Reaction, refuse
from tests.model.registry import (
    chance,
    find_all,
    message_by,
    mostly,
    pick,
    picks,
    reacted_message_by,
    tries,
)
from tests.model.values import Time

reactions = mostly("+1", "<b>no</b>", "x" * 128, but=["", "x" * 129])


@tries("message.acknowledged", 4, which=picks, bare=chance)
def acknowledge(chat: Chat, me: Person, which: list[int], bare: bool) -> Generator[Any, None, None]:
    """Say that messages have arrived."""
    messages = yield from _name(chat, me, which, bare)

    chat.notifications = [
        each
        for each in chat.notifications
        if each.message not in messages or each.recipient is not me
    ]
    new = [each for each in messages if each.sender is not me and me not in each.got]
    for message in new:
        message.got.append(me)
    for sender in dict.fromkeys(each.sender for each in new):
        told = [each for each in new if each.sender is sender and sender in each.room.members]
        if told:
            data = [shapes.message(each) for each in told]
            chat.target([sender], "messagedelivered.dispatch", data)


@tries("message.read", 4, which=picks, bare=chance)
def read(chat: Chat, me: Person, which: list[int], bare: bool) -> Generator[Any, None, None]:
    """Read messages."""
    messages = yield from _name(chat, me, which, bare)

    others = [each for each in messages if each.sender is not me]
    new = [each for each in others if me not in each.read]
    refuse(4005, if_=bare and len(which) == 1 and len(new) < len(others))
    for message in new:
        message.read[me] = Time()
    for room in dict.fromkeys(each.room for each in new):
        shown = [shapes.message(each) for each in new if each.room is room]
        data = shown[0] if len(shown) == 1 else shown
        chat.broadcast(room, "readreceipt.dispatch", data)


def _name(
    chat: Chat, me: Person, which: list[int], bare: bool
) -> Generator[Any, None, list[Message]]:
    """Send ids, one by itself where it is `bare`; returns the messages, all in one's rooms."""
    named = [message_by(chat, me, each) for each in which]
    ids = [each.id for each in named]
    yield {"message_id": ids[0] if bare and len(ids) == 1 else ids}

    messages = find_all(named)
    for message in messages:
        chat.enter(message.room, me)
    return messages


@tries("message.react", 4, which=pick, content=reactions)
def react(chat: Chat, me: Person, which: int, content: str) -> Generator[Any, None, None]:
    """React to a message."""
    named = message_by(chat, me, which)
    yield {"type": "add", "message_id": named.id, "reaction_content": content}

    named.check_form()
    refuse(4003, if_=not 0 < len(content) <= 128)
    message: Message = named.find()
    chat.enter(message.room, me)
    refuse(4003, if_=message.deleted)
    refuse(
        4005, if_=any(each.person is me and each.content == content for each in message.reactions)
    )
    others = [each for each in message.reactions if each.person is not me]
    reaction = Reaction(me, content, chat.now())
    message.reactions = [*others, reaction]
    chat.forget_reaction(message, me)
    if message.sender is not me and message.sender in message.room.members:
        chat.notify("REACTION", message, me, reaction.born, recipient=message.sender)
    _tell(chat, message, "add")


@tries("message.react", 4, which=pick, content=st.none() | st.none() | reactions)
def take_back(
    chat: Chat, me: Person, which: int, content: str | None
) -> Generator[Any, None, None]:
    """Take a reaction back."""
    named = reacted_message_by(chat, me, which)
    data = {"type": "remove", "message_id": named.id}
    yield data if content is None else {**data, "reaction_content": content}

    named.check_form()
    refuse(4003, if_=content is not None and not 0 < len(content) <= 128)
    message: Message = named.find()
    chat.enter(message.room, me)
    refuse(4003, if_=message.deleted)
    mine = [each for each in message.reactions if each.person is me]
    refuse(4004, if_=not mine or content not in (None, mine[0].content))
    message.reactions.remove(mine[0])
    chat.forget_reaction(message, me)
    _tell(chat, message, "remove")


def _tell(chat: Chat, message: Message, type: str) -> None:
    data = {"status": "successful", "type": type, "message": shapes.message(message)}
    chat.broadcast(message.room, "reaction.dispatch", data)
