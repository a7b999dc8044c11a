"""Members: join, leave, add, remove."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.model import shapes
from tests.model.chat import (
    ADD,
    CAPS,
    GROUP,
    ONE_TO_ONE,
    REMOVE,
    Chat,
    Person,
    Room,
    refuse,
)
from tests.model.events.rooms import FULL
from tests.model.registry import find_all, find_room, person_by, pick, picks, room_by, tries
from tests.model.values import ANYTHING


@tries("room.join", 4, place=pick)
def join(chat: Chat, me: Person, place: int) -> Generator[Any, None, None]:
    """Come into a room by oneself."""
    named = room_by(chat, me, place, foreign=True)
    yield {"room_id": named.id}

    room = find_room(named)
    refuse(4003, "Ask an admin to add you to the group", if_=room.type == GROUP)
    refuse(4003, if_=room.type == ONE_TO_ONE or not room.fields["is_public"])
    refuse(4003, if_=me in room.members)
    _check_room_for(room, 1)
    _bring_in(chat, room, [me], "self")


def _check_room_for(room: Room, count: int) -> None:
    most = room.fields[CAPS[room.type][0]]
    refuse(4003, FULL[room.type], if_=len(room.members) + count > most)


def _bring_in(chat: Chat, room: Room, people: list[Person], by: str) -> None:
    chat.come(room, people)
    names = [person.name for person in people]
    data = {"room": shapes.detail(room), "new_members": names, "added_by": by}
    chat.broadcast(room, "roomaddmembers.dispatch", data)


@tries("room.leave", place=pick)
def leave(chat: Chat, me: Person, place: int) -> Generator[Any, None, None]:
    """Go out of a room."""
    named = room_by(chat, me, place)
    yield {"room_id": named.id}

    room = find_room(named)
    chat.enter(room, me)
    refuse(4003, if_=room.type == ONE_TO_ONE)
    chat.go(room, [me], f"You left {room.title}", "self")


@tries("room.add_members", 4, place=pick, who=picks)
def add_members(chat: Chat, me: Person, place: int, who: list[int]) -> Generator[Any, None, None]:
    """Bring others in."""
    room, people = yield from _name(chat, me, place, who)

    _check_right(chat, me, room, ADD)
    new = [each for each in people if each not in room.members]
    if new:
        _check_room_for(room, len(new))
        _bring_in(chat, room, new, me.name)


@tries("room.remove_members", place=pick, who=picks)
def remove_members(
    chat: Chat, me: Person, place: int, who: list[int]
) -> Generator[Any, None, None]:
    """Put others out."""
    room, people = yield from _name(chat, me, place, who)

    _check_right(chat, me, room, REMOVE)
    out = [each for each in people if each in room.members and each is not room.creator]
    chat.go(room, out, f"You have been removed by {me.name}", me.name)


def _name(
    chat: Chat, me: Person, place: int, who: list[int]
) -> Generator[Any, None, tuple[Room, list[Person]]]:
    named, people = room_by(chat, me, place), [person_by(chat, each) for each in who]
    yield {"room_id": named.id, "members": [each.id for each in people]}

    named.check_form()
    found = find_all(people)
    return find_room(named), found


def _check_right(chat: Chat, me: Person, room: Room, rights: dict[str, str]) -> None:
    member = chat.enter(room, me)
    refuse(4003, ANYTHING, if_=room.type == ONE_TO_ONE)
    refuse(4002, if_=room.creator is not me and rights[room.type] not in member.rights)
