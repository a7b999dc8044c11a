"""Rooms: create, change, delete; roles and permissions in them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hypothesis import strategies as st

from tests.model import shapes
from tests.model.chat import (
    CAPS,
    CHANNEL,
    FLAGS,
    GRANTABLE,
    GROUP,
    LEADERS,
    MEMBERS,
    ONE_TO_ONE,
    RIGHTS,
    Chat,
    Person,
    Room,
    refuse,
)
from tests.model.registry import find_all, find_room, mostly, person_by, pick, picks, room_by, tries
from tests.model.values import containing

names = mostly("room", "<b>room</b>", "x" * 64, but=["x" * 65, " ", None])
flags = st.dictionaries(st.sampled_from(FLAGS[GROUP] + FLAGS[CHANNEL]), st.booleans(), max_size=1)
preferences = st.sampled_from([None, None, {}, {"colour": "green", "deep": [1, {"a": None}]}])
leading = st.sampled_from(["add_admin", "remove_admin", "add_moderator", "remove_moderator"])
codenames = mostly(0, 1, 2, 3, but=["other", RIGHTS[CHANNEL][0]])
FULL = {
    GROUP: "Maximum number of group participants exceeded",
    CHANNEL: "Maximum number of channel subscribers exceeded",
}


@tries(
    "room.create",
    1,
    type=mostly(GROUP, CHANNEL, but=["Forum"]),
    name=names,
    who=st.lists(pick, max_size=3),
    cap=mostly(None, 3, but=[0, 1]),
    given=flags,
    prefers=preferences,
)
def create_room(
    chat: Chat,
    me: Person,
    type: str,
    name: str | None,
    who: list[int],
    cap: int | None,
    given: dict[str, bool],
    prefers: Any,
) -> Generator[Any, None, None]:
    """Create a group or a channel."""
    named = [person_by(chat, each) for each in who]
    members = MEMBERS.get(type, "participants")
    extra: dict[str, Any] = dict(given)
    if cap is not None:
        extra[CAPS.get(type, CAPS[GROUP])[0]] = cap
    if prefers is not None:
        extra["property"] = {"preferences": prefers}
    data: dict[str, Any] = {"type": type, members: [each.id for each in named]}
    if name is not None:
        data["name"] = name
    yield {**data, "extra_fields": extra} if extra else data

    refuse(4003, if_=type not in MEMBERS)
    refuse(4003, if_=not _is_name(name) or cap == 0)
    refuse(4003, if_=set(given) - set(FLAGS[type]))
    others = [each for each in find_all(named) if each is not me]
    field, most = CAPS[type]
    most = most if cap is None else cap
    refuse(4003, FULL[type], if_=len(others) + 1 > most)
    fields = {"avatar": None, **dict.fromkeys(FLAGS[type], False), **given, field: most}
    room = Room(type, me, name, None, fields, prefers or {}, chat.now())
    _begin(chat, room, [me, *others])


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name.strip()) and len(name) <= 64


@tries("room.create", 1, who=st.lists(pick, min_size=1, max_size=2))
def create_pair(chat: Chat, me: Person, who: list[int]) -> Generator[Any, None, None]:
    """Begin a one-to-one chat."""
    named = [person_by(chat, each) for each in who]
    yield {"type": ONE_TO_ONE, "participants": [each.id for each in named]}

    others = find_all(named)
    refuse(4003, if_=len(others) != 1 or others[0] is me)
    present = chat.pair(me, others[0])
    if present is not None:
        detail = {"message": containing("Chat already exists"), "room_id": present.id}
        refuse(4005, detail)
    room = Room(ONE_TO_ONE, None, None, None, {}, {}, chat.now())
    _begin(chat, room, [me, others[0]])


def _begin(chat: Chat, room: Room, people: list[Person]) -> None:
    chat.rooms.append(room)
    chat.come(room, people)
    chat.broadcast(room, "roomcreate.dispatch", shapes.detail(room))


def _check_may_modify(chat: Chat, me: Person, room: Room) -> None:
    chat.enter(room, me)
    refuse(4002, if_=room.type != ONE_TO_ONE and not room.leads(me))


@tries(
    "room.modify",
    place=pick,
    name=mostly("same", "new", but=["", None]),
    given=flags,
    prefers=preferences,
)
def update_room(
    chat: Chat,
    me: Person,
    place: int,
    name: str | None,
    given: dict[str, bool],
    prefers: Any,
) -> Generator[Any, None, None]:
    """Change a room."""
    named = room_by(chat, me, place)
    changes: dict[str, Any] = dict(given)
    if name != "same":
        changes["name"] = name
    if prefers is not None:
        changes["property"] = {"preferences": prefers}
    yield {"room_id": named.id, "action": "update", "data": changes}

    named.check_form()
    refuse(4003, if_=not changes)
    room = find_room(named)
    _check_may_modify(chat, me, room)
    refuse(4003, if_=set(given) - set(FLAGS[room.type]))
    if name != "same":
        refuse(4003, if_=room.type == ONE_TO_ONE or not _is_name(name))
        room.name = name
    room.fields = {**room.fields, **given}
    if prefers is not None:
        room.preferences = prefers
    chat.broadcast(room, "roomupdate.dispatch", shapes.detail(room))


@tries("room.modify", place=pick)
def delete_room(chat: Chat, me: Person, place: int) -> Generator[Any, None, None]:
    """Delete a room."""
    named = room_by(chat, me, place)
    yield {"room_id": named.id, "action": "delete"}

    room = find_room(named)
    chat.enter(room, me)
    refuse(4002, if_=room.type != ONE_TO_ONE and room.creator is not me)
    chat.broadcast(room, "roomdelete.dispatch", {"room_id": room.id})
    chat.end(room)


@tries(
    "room.modify",
    4,
    place=pick,
    action=leading,
    who=picks,
)
def set_leaders(
    chat: Chat, me: Person, place: int, action: str, who: list[int]
) -> Generator[Any, None, None]:
    """Make members leaders, or plain members again."""
    named, people = room_by(chat, me, place), [person_by(chat, each) for each in who]
    users = {"users": [each.id for each in people]}
    yield {"room_id": named.id, "action": action, "data": users}

    named.check_form()
    chosen = find_all(people)
    room = find_room(named)
    _check_may_modify(chat, me, room)
    lead, leaders = action.startswith("add"), action.split("_")[1] + "s"
    refuse(4003, if_=LEADERS.get(room.type) != leaders)
    for person in chosen:
        member = room.members.get(person)
        if member is not None and member.leads != lead and person is not room.creator:
            member.leads = lead
            member.rights = member.rights | set(RIGHTS[room.type]) if lead else set()
    chat.broadcast(room, "roomupdate.dispatch", shapes.detail(room))


@tries(
    "room.modify",
    4,
    place=pick,
    add=st.booleans(),
    who=picks,
    rights=st.lists(codenames, min_size=1, max_size=2),
)
def set_permissions(
    chat: Chat, me: Person, place: int, add: bool, who: list[int], rights: list[Any]
) -> Generator[Any, None, None]:
    """Give members object permissions, or take them."""
    named, people = room_by(chat, me, place), [person_by(chat, each) for each in who]
    # A number stands for one that the room knows, if it knows some.
    known = GRANTABLE[named.what.type if named.what else GROUP] or ("other",)
    rights = [each if isinstance(each, str) else known[each % len(known)] for each in rights]
    yield {
        "room_id": named.id,
        "action": "add_permission" if add else "remove_permission",
        "data": {"users": [each.id for each in people], "permission": rights},
    }

    named.check_form()
    chosen = find_all(people)
    room = find_room(named)
    _check_may_modify(chat, me, room)
    refuse(4003, if_=not rights or set(rights) - set(GRANTABLE[room.type]))
    for person in chosen:
        member = room.members.get(person)
        if member is not None and person is not room.creator:
            member.rights = member.rights | set(rights) if add else member.rights - set(rights)
    chat.broadcast(room, "roomupdate.dispatch", shapes.detail(room))
