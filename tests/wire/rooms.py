"""People and rooms for tests on the wire: rooms are made over the socket, as any client does."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import IntegerField

from gql_chat.models import (
    Allowance,
    IdleSocket,
    Membership,
    Presence,
    SocketHolder,
    StreamEvent,
    get_model,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import capture
from tests.client import Client
from tests.conftest import Connect, Orm, Users

Room = dict[str, Any]
Message = dict[str, Any]

ONE_TO_ONE, GROUP, CHANNEL = ROOM_TYPES = ("OneToOneChat", "GroupChat", "Channel")

#: What a type calls its members, and what is said where there is no place for one more.
MEMBERS = {GROUP: "participants", CHANNEL: "subscribers", ONE_TO_ONE: "participants"}
FULL = {
    GROUP: "Maximum number of group participants exceeded",
    CHANNEL: "Maximum number of channel subscribers exceeded",
}

#: An id that nothing has.
NOWHERE = "00000000-0000-4000-8000-000000000000"

#: Whether users have numbers, as those of Django's own model have.
NUMBERED = isinstance(get_user_model()._meta.pk, IntegerField)
#: A user id that nobody has.
NOBODY = 2**31 - 1 if NUMBERED else NOWHERE
#: How a client may write a user id.
WRITINGS = (int, str) if NUMBERED else (str,)


def wire_id(user_id: Any) -> Any:
    """A user's primary key, as the wire has it."""
    return user_id if NUMBERED else str(user_id)


class Person:
    """A user and one socket of theirs, with what tests do on it at hand.

    Attributes:
        user: the user.
        id: their primary key, as the wire has it.
        name: their username.
        client: the socket.
    """

    def __init__(self, user: AbstractUser, client: Client) -> None:
        self.user = user
        self.id = wire_id(user.pk)
        self.name = user.get_username()
        self.client = client
        self.send = client.send
        self.next = client.next
        self.expect = client.expect
        self.error = client.error
        self.success = client.success
        self.heartbeat = client.heartbeat
        self.nothing = client.nothing
        self.close = client.close

    @property
    def shown(self) -> dict[str, Any]:
        """The user, as frames show them: a text that the user model does not have is empty."""
        return {
            "id": self.id,
            "username": self.name,
            "email": self.user.email,
            "first_name": getattr(self.user, "first_name", ""),
            "last_name": getattr(self.user, "last_name", ""),
        }

    async def ask(self, event_type: str, data: Any = None) -> Any:
        """Send a request that has a private answer (``room.list``); returns the answer's data."""
        await self.send(event_type, data)
        return await self.expect(f"{event_type.replace('.', '')}.dispatch")

    async def refused(self, code: int, event_type: str, data: Any = None) -> Any:
        """Send what must be answered with this error; returns the detail."""
        await self.send(event_type, data)
        return await self.error(code)


async def people(connect: Connect, users: Users, *names: str) -> list[Person]:
    """Make users of these names and open one socket of each."""
    return [Person(user, await connect(user)) for user in users.make(*names)]


async def everybody_gets(event_type: str, *persons: Person) -> Any:
    """Take the next frame of each, which must be this event, with the same data for all."""
    first, *others = [await person.expect(event_type) for person in persons]
    for other in others:
        assert other == first
    return first


async def create(creator: Person, type: str, data: dict[str, Any], *members: Person) -> Room:
    """Create a room; its creator and members, who must be all, take their frames of it."""
    await creator.send("room.create", {"type": type, **data})
    room: Room = await everybody_gets("roomcreate.dispatch", creator, *members)
    return room


async def one_to_one(creator: Person, other: Person) -> Room:
    """Create the one-to-one chat of two people."""
    return await create(creator, "OneToOneChat", {"participants": [other.id]}, other)


async def group(creator: Person, *members: Person, name: str = "group", **fields: Any) -> Room:
    """Create a group; the fields are those of ``extra_fields``."""
    participants = [member.id for member in members]
    data = {"name": name, "participants": participants, "extra_fields": fields}
    return await create(creator, "GroupChat", data, *members)


async def channel(creator: Person, *members: Person, name: str = "channel", **fields: Any) -> Room:
    """Create a channel; the fields are those of ``extra_fields``."""
    subscribers = [member.id for member in members]
    data = {"name": name, "subscribers": subscribers, "extra_fields": fields}
    return await create(creator, "Channel", data, *members)


async def say(sender: Person, room: Room, content: str, *others: Person, **data: Any) -> Message:
    """Send a message; the sender and the others, who must be all that are connected, take it."""
    await sender.send("message.send", {"room_id": room["id"], "content": content, **data})
    message: Message = await everybody_gets("message.dispatch", sender, *others)
    return message


def write_unheard(sender: Person, room: Room, content: str) -> None:
    """Send a message of which this process hears nothing: the bell of another one got lost."""
    with capture():
        EventHandler(sender.id).send_message(room["id"], content)


async def another_socket(connect: Connect, person: Person) -> Person:
    """Open one more socket of somebody, on which nothing may be waiting for them."""
    return Person(person.user, await connect(person.user))


async def room_of_type(type: str, creator: Person, *members: Person, **fields: Any) -> Room:
    """Create a room of a type; the fields are those of ``extra_fields``."""
    if type == ONE_TO_ONE:
        return await one_to_one(creator, *members)
    create_it = group if type == GROUP else channel
    return await create_it(creator, *members, **fields)


async def modify(
    leader: Person, room: Room, action: str, data: Any = None, *others: Person
) -> Room:
    """Change a room; the leader and the others, who must be all its members, take the frame."""
    await leader.send("room.modify", {"room_id": room["id"], "action": action, "data": data or {}})
    changed: Room = await everybody_gets("roomupdate.dispatch", leader, *others)
    return changed


async def remove(remover: Person, room: Room, removed: Person, *others: Person) -> None:
    """Put somebody out of a room; they, the remover and the others, who must be all, hear it."""
    await remover.send("room.remove_members", {"room_id": room["id"], "members": [removed.id]})
    await removed.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", remover, *others)


async def nobody_gets_anything(*persons: Person) -> None:
    """Make sure that the server has sent nothing more to any of these sockets."""
    for person in persons:
        await person.nothing()


async def messages_of(member: Person, room: Room) -> list[Message]:
    """The messages of a room as ``room.messages`` shows them, the newest first."""
    answer = await member.ask("room.messages", {"room_id": room["id"]})
    messages: list[Message] = answer["data"]["messages"]
    return messages


async def in_list(member: Person, room: Room) -> Room:
    """A room as ``room.list`` shows it to one of its members."""
    (found,) = [each for each in await member.ask("room.list") if each["id"] == room["id"]]
    listed: Room = found
    return listed


def stored(orm: Orm, *rooms: Room) -> dict[str, Any]:
    """What an event could have changed: how many rows each table has, and all of these rooms.

    Sessions are left out: those of sockets that earlier tests closed may be ending just now. So are
    allowances: whatever somebody asks for is counted, also what is refused. So is presence: it is
    written behind the sockets.
    """
    return orm(_stored, [room["id"] for room in rooms])


def _stored(room_ids: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model not in (get_model("Session"), Allowance, Presence, IdleSocket, SocketHolder)
    }
    streams = [f"room:{room_id}" for room_id in room_ids]
    for name, rows in {
        "rooms": get_model("Room").objects.filter(pk__in=room_ids),
        "properties": get_model("RoomProperty").objects.filter(room_id__in=room_ids),
        "members": Membership.objects.filter(room_id__in=room_ids),
        "messages": get_model("Message").objects.filter(room_id__in=room_ids),
        "reactions": get_model("Reaction").objects.filter(message__room_id__in=room_ids),
        "events": StreamEvent.objects.filter(stream__in=streams),
    }.items():
        found[name] = list(rows.order_by("pk").values())
    return found


def member_names(room: Room) -> list[str]:
    """The usernames of the members that a room's detail shows."""
    return [user["username"] for user in room[MEMBERS[room["type"]]]]


def member_ids(room: Room) -> set[Any]:
    """The ids of the members that are stored; to be asked through ``orm``."""
    members = Membership.objects.filter(room_id=room["id"])
    return {wire_id(user_id) for user_id in members.values_list("user_id", flat=True)}


def stored_room(room: Room) -> Any:
    """The row of a room; to be asked for through ``orm``."""
    return get_model("Room").objects.get(pk=room["id"])
