"""The rooms of the table and the people who try something there, as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from guardian.shortcuts import assign_perm

from gql_chat.models import get_model
from gql_chat.operations import EventHandler
from tests.wire.rooms import CHANNEL, GROUP, NOWHERE, ONE_TO_ONE

#: What a room is made with: its type, and its fields.
MADE: dict[str, tuple[str, dict[str, Any]]] = {
    "pair": (ONE_TO_ONE, {}),
    "group": (GROUP, {}),
    "locked": (GROUP, {"group_locked": True}),
    "channel": (CHANNEL, {}),
    "public": (CHANNEL, {"is_public": True}),
}
#: The object permissions of a type, by the role that has one alone.
PERMISSIONS = {
    ONE_TO_ONE: {},
    GROUP: {"adder": "can_add_new_participants", "remover": "can_remove_participants"},
    CHANNEL: {
        "adder": "can_add_new_subscribers",
        "remover": "can_remove_subscribers",
        "sender": "can_send_messages",
    },
}
#: What its leaders are called.
LEADERS = {GROUP: "admins", CHANNEL: "moderators"}


@dataclass
class World:
    """A room, and those who try something there.

    Attributes:
        kind: the kind of room, as the table calls it.
        room_id: the room; of no room an id that nothing has.
        seq: where the room's stream stands.
        people: the user of each role.
        own: by role, a message of theirs in the room.
        hers: by role, a message of somebody else in the room, to which they have reacted.
        homes: by role, a room that is theirs alone.
        pinned: a message in the room that is pinned.
        elsewhere: a message in a room that none of them is in.
        candidate: a user who is in no room.
    """

    kind: str
    people: dict[str, Any]
    candidate: Any
    room_id: str = NOWHERE
    seq: int = 0
    own: dict[str, str] = field(default_factory=dict)
    hers: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    pinned: str = NOWHERE
    elsewhere: str = NOWHERE

    @property
    def type(self) -> str:
        """The type of the room on the wire."""
        return MADE[self.kind][0]

    def pk(self, role: str) -> Any:
        """The primary key of the user of a role."""
        return self.people[role].pk


def roles_of(kind: str) -> tuple[str, ...]:
    """The roles that there are for a kind of room, but for those of no active account."""
    if kind == "none":
        return ("stranger", "root")
    if kind == "pair":
        return ("creator", "member", "stranger", "root")
    alone = tuple(PERMISSIONS[MADE[kind][0]])
    return ("creator", "leader", *alone, "superuser", "member", *OUTSIDE)


OUTSIDE = ("former", "holder", "stranger", "root")


def acting_as(user: Any, *, as_system: bool = False) -> EventHandler:
    """The operations themselves, whatever handler the settings name."""
    handler = EventHandler(user.pk)
    handler.as_system = as_system
    return handler


def make_world(kind: str, make_user: Callable[..., Any]) -> World:
    """Make a room of a kind and everybody who has something to do with it; committed."""
    roles = roles_of(kind)
    people = {role: make_user(role, is_superuser=role in ("superuser", "root")) for role in roles}
    world = World(kind, people, make_user("candidate"))
    for role in roles:
        home = acting_as(people[role]).create_room(GROUP, name="home")
        world.homes[role] = str(home.pk)
    if kind == "none":
        people["deactivated"] = make_user("deactivated")
        return world
    people["deactivated"] = people["creator"]
    keeper = make_user("keeper")
    hidden = acting_as(keeper).create_room(GROUP, name="elsewhere")
    world.elsewhere = str(acting_as(keeper).send_message(hidden.pk, "elsewhere").message_id)
    room = _make_room(world)
    world.room_id = str(room.pk)
    _fill(world)
    if "former" in people:
        acting_as(people["creator"]).remove_members(room.pk, [people["former"].pk])
    room.refresh_from_db()
    world.seq = room.seq
    for name in ("own", "hers", "homes"):
        found = getattr(world, name)
        found["deactivated"] = found["creator"]
    return world


def _make_room(world: World) -> Any:
    type, fields = MADE[world.kind]
    inside = [role for role in world.people if role not in (*OUTSIDE[1:], "deactivated")]
    creator = acting_as(world.people["creator"])
    members = [world.pk(role) for role in inside if role != "creator"]
    room: Any = creator.create_room(
        type, name=None if type == ONE_TO_ONE else "room", members=members, fields=fields
    )
    if type != ONE_TO_ONE:
        leaders = [world.pk("leader"), world.pk("former")]
        creator.set_leaders(room.pk, LEADERS[type], leaders, lead=True)
        for role, permission in PERMISSIONS[type].items():
            creator.set_permissions(room.pk, [world.pk(role)], [permission], hold=True)
            assign_perm(permission, world.people["holder"], get_model(type).objects.get(pk=room.pk))
    return room


def _fill(world: World) -> None:
    """Let everybody who is in the room write a message, and react to one of somebody else."""
    writers = [role for role in world.people if role not in (*OUTSIDE[1:], "deactivated")]
    said = {}
    for role in writers:
        # Not everybody may: it does not matter here how the messages came there.
        system = acting_as(world.people[role], as_system=True)
        world.own[role] = str(system.send_message(world.room_id, f"of {role}").message_id)
        if role in ("creator", "member"):
            sent = system.send_message(world.room_id, "react", mentions={"room": True})
            said[role] = str(sent.message_id)
    for role in writers:
        world.hers[role] = said["member" if role == "creator" else "creator"]
        acting_as(world.people[role]).add_reaction(UUID(world.hers[role]), "first")
    creator = acting_as(world.people["creator"])
    world.pinned = str(
        acting_as(world.people["creator"], as_system=True)
        .send_message(world.room_id, "pinned")
        .message_id
    )
    creator.pin_message(UUID(world.pinned))
    for role in writers:
        acting_as(world.people[role]).save_message(UUID(world.pinned))
    for role in OUTSIDE[1:]:
        world.hers[role] = said["creator"]
