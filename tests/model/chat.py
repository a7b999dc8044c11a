"""The model: what the protocol says of rooms, messages and streams, in plain Python.

It knows nothing of the package. An event of `tests.model.events` looks at it, changes it, and says
here who is told what; the machine compares that with the frames that arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.model.erasure import erase_message, erase_room
from tests.model.shapes import detail
from tests.model.values import ANYTHING, Id, Time, Unordered

Frame = dict[str, Any]

ONE_TO_ONE, GROUP, CHANNEL = "OneToOneChat", "GroupChat", "Channel"
#: What a type calls its members and leaders, how many it takes, and its object permissions.
MEMBERS = {ONE_TO_ONE: "participants", GROUP: "participants", CHANNEL: "subscribers"}
LEADERS = {GROUP: "admins", CHANNEL: "moderators"}
CAPS = {GROUP: ("max_participants", 100), CHANNEL: ("max_subscribers", 300)}
ADD = {GROUP: "can_add_new_participants", CHANNEL: "can_add_new_subscribers"}
REMOVE = {GROUP: "can_remove_participants", CHANNEL: "can_remove_subscribers"}
SEND = "can_send_messages"
RIGHTS = {
    ONE_TO_ONE: (),
    GROUP: (ADD[GROUP], REMOVE[GROUP]),
    CHANNEL: (ADD[CHANNEL], REMOVE[CHANNEL], SEND),
}
#: Deletes what others wrote. Leaders do that without it, so becoming one does not bring it.
DELETE = "can_delete_messages"
#: What a leader may give to members.
GRANTABLE = {
    ONE_TO_ONE: (),
    GROUP: (*RIGHTS[GROUP], DELETE),
    CHANNEL: (*RIGHTS[CHANNEL], DELETE),
}
#: The flags of a type, which are false unless somebody says otherwise.
FLAGS = {ONE_TO_ONE: (), GROUP: ("join_approval_required", "group_locked"), CHANNEL: ("is_public",)}

#: An id that nothing has.
NOWHERE = "00000000-0000-4000-8000-000000000000"


class Refused(Exception):
    """The event is answered with an error, and nothing comes of it."""

    def __init__(self, code: int, detail: Any = ANYTHING) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def refuse(code: int, detail: Any = ANYTHING, *, if_: Any = True) -> None:
    """Refuse an event if something is so."""
    if if_:
        raise Refused(code, detail)


@dataclass(eq=False)
class Stream:
    """The stored frames of a room or a user, of which the first has the sequence number 1."""

    owner: Room | Person
    log: list[Frame] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name on the wire."""
        if isinstance(self.owner, Room):
            return f"room:{self.owner.id.value}"
        return f"user:{self.owner.id}"

    @property
    def seq(self) -> int:
        """The sequence number of the newest frame."""
        return len(self.log)

    def after(self, seq: int) -> list[tuple[int, Frame]]:
        """The frames after a sequence number, with theirs."""
        return list(enumerate(self.log[seq:], seq + 1))


@dataclass(eq=False)
class Person:
    """A user.

    Attributes:
        id: the primary key, as the wire has it.
        shown: the user, as frames show them.
        stream: what is told to the user alone.
    """

    id: Any
    shown: dict[str, Any]
    stream: Stream = field(init=False)

    def __post_init__(self) -> None:
        self.stream = Stream(self)

    @property
    def name(self) -> str:
        """The username."""
        name: str = self.shown["username"]
        return name


@dataclass(eq=False)
class Member:
    """Somebody in a room.

    Attributes:
        leads: whether they have the leaders' role.
        rights: the object permissions that they hold.
        first: the first sequence number that is theirs.
        since: when they came, by the model's clock.
    """

    leads: bool
    rights: set[str]
    first: int
    since: int


@dataclass(eq=False)
class Room:
    """A room, or what was one."""

    type: str
    creator: Person | None
    name: str | None
    description: str | None
    fields: dict[str, Any]
    preferences: dict[str, Any]
    born: int
    id: Id = field(default_factory=Id)
    created: Time = field(default_factory=Time)
    members: dict[Person, Member] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    stream: Stream = field(init=False)
    gone: bool = False

    def __post_init__(self) -> None:
        self.stream = Stream(self)

    @property
    def title(self) -> str:
        """What sentences call it."""
        return self.name or "the chat"

    @property
    def activity(self) -> int:
        """When something was said last; at its beginning where nothing was."""
        return self.messages[-1].born if self.messages else self.born

    def leads(self, person: Person) -> bool:
        """Whether a member runs the room."""
        return person is self.creator or self.members[person].leads

    def moderates(self, person: Person) -> bool:
        """Whether a member may delete what others wrote."""
        if self.type == ONE_TO_ONE:
            return False
        return self.leads(person) or DELETE in self.members[person].rights


@dataclass(eq=False)
class Reaction:
    """What somebody thinks of a message."""

    person: Person
    content: str
    born: int
    id: Id = field(default_factory=Id)
    created: Time = field(default_factory=Time)


@dataclass(eq=False)
class Message:
    """A message, or what was one: softly deleted it is still there, but not shown.

    Attributes:
        source: what a forward passes on, as frames show it: as it was when it was forwarded.
    """

    room: Room
    sender: Person
    content: str
    born: int
    parent: Message | None = None
    source: dict[str, Any] | None = None
    is_forwarded: bool = False
    attachments: list[dict[str, Any]] = field(default_factory=list)
    id: Id = field(default_factory=Id)
    created: Time = field(default_factory=Time)
    updated: Time = field(default_factory=Time)
    edited: bool = False
    got: list[Person] = field(default_factory=list)
    read: dict[Person, Time] = field(default_factory=dict)
    reactions: list[Reaction] = field(default_factory=list)
    deleted: bool = False
    gone: bool = False

    @property
    def is_shown(self) -> bool:
        """Whether nobody has deleted it, softly or for good."""
        return not self.gone and not self.deleted


@dataclass(eq=False)
class Notification:
    """That a message or a reaction waits for somebody.

    Attributes:
        recipient: for whom a reaction waits; None for a message, which waits for the members.
    """

    kind: str
    message: Message
    actor: Person
    born: int
    recipient: Person | None = None
    id: Id = field(default_factory=Id)


@dataclass(eq=False)
class Told:
    """A frame that an event brings about, and who gets it.

    Attributes:
        seq: its sequence number; 0 where it is not stored.
    """

    stream: Stream
    seq: int
    frame: Frame
    people: list[Person]


class Chat:
    """Everybody, every room, and what is told of them.

    Attributes:
        soft: whether deleted messages stay, hidden.
        told: the frames of the running event.
        private: its private answers.
    """

    def __init__(self, people: Sequence[Person], *, soft: bool = False) -> None:
        self.people = list(people)
        self.soft = soft
        self.rooms: list[Room] = []
        self.messages: list[Message] = []
        self.notifications: list[Notification] = []
        self.sent: dict[tuple[Person, str], Message] = {}
        self.told: list[Told] = []
        self.private: list[Frame] = []
        self._clock = 0

    def begin(self) -> None:
        """Forget what the event before it was answered with."""
        self.told, self.private = [], []

    def now(self) -> int:
        """The next moment."""
        self._clock += 1
        return self._clock

    # Telling

    def answer(self, event_type: str, data: Any) -> None:
        """Answer the asking socket alone."""
        self.private.append({"eventType": event_type, "data": data})

    def broadcast(self, room: Room, event_type: str, data: Any, *, stored: bool = True) -> None:
        """Tell all who are in the room now."""
        frame = {"eventType": event_type, "data": data}
        if stored:
            room.stream.log.append(frame)
        seq = room.stream.seq if stored else 0
        self.told.append(Told(room.stream, seq, frame, [*room.members]))

    def target(self, people: Iterable[Person], event_type: str, data: Any) -> None:
        """Tell some people, each in their own stream."""
        for person in people:
            frame = {"eventType": event_type, "data": data}
            person.stream.log.append(frame)
            self.told.append(Told(person.stream, person.stream.seq, frame, [person]))

    # Members

    def come(self, room: Room, people: Iterable[Person]) -> None:
        """Let people into a room, from the next frame on."""
        for person in people:
            leads = person is room.creator and room.type in LEADERS
            rights = set(RIGHTS[room.type]) if leads else set()
            room.members[person] = Member(leads, rights, room.stream.seq + 1, self.now())

    def go(self, room: Room, people: Sequence[Person], goodbye: str, by: str) -> None:
        """Put people out of a room, and tell everybody; the last one out deletes it."""
        if not people:
            return
        for person in people:
            del room.members[person]
        self.notifications = [
            each
            for each in self.notifications
            if each.message.room is not room or each.recipient not in people
        ]
        exited = {"room": detail(room), "message": goodbye}
        if not room.members:
            # Before it is told: the log shows to the last ones out what they were told.
            self.end(room)
        self.target(people, "roomexit.dispatch", exited)
        if not room.gone:
            names = Unordered(person.name for person in people)
            data = {"room": detail(room), "removed_members": names, "removed_by": by}
            self.broadcast(room, "roomremovemembers.dispatch", data)
        else:
            self.target(people, "roomdelete.dispatch", {"room_id": room.id})

    def end(self, room: Room) -> None:
        """Delete a room and all that is in it, from the log, too."""
        room.gone = True
        room.members.clear()
        for message in self.messages:
            if message.room is room:
                self._hide(message)
                message.gone = True
        erase_room(self._logged(), room)

    # Messages

    def delete(self, message: Message) -> None:
        """Delete a message, from the log, too."""
        self._hide(message)
        message.deleted = self.soft
        message.gone = not self.soft
        message.updated = Time()
        erase_message(self._logged(), message)

    def _logged(self) -> Iterator[Frame]:
        """The frames that somebody may be replayed."""
        for owner in (*self.people, *self.rooms):
            if isinstance(owner, Person) or not owner.gone:
                yield from owner.stream.log

    def _hide(self, message: Message) -> None:
        if message in message.room.messages:
            message.room.messages.remove(message)
        self.notifications = [each for each in self.notifications if each.message is not message]

    def notify(self, kind: str, message: Message, actor: Person, born: int, **to: Person) -> None:
        """Let a message or a reaction wait for somebody."""
        self.notifications.append(Notification(kind, message, actor, born, **to))

    def forget_reaction(self, message: Message, person: Person) -> None:
        """Let what a reaction notified of wait no more."""
        self.notifications = [
            each
            for each in self.notifications
            if each.message is not message or each.actor is not person or each.recipient is None
        ]

    def waiting(self, person: Person) -> list[Notification]:
        """What waits for somebody, the oldest first."""
        found = [each for each in self.notifications if _waits_for(each, person)]
        return sorted(found, key=lambda each: each.born)

    # Finding

    def rooms_of(self, person: Person) -> list[Room]:
        """The rooms that somebody is in, the oldest first."""
        return [room for room in self.rooms if person in room.members]

    def pair(self, one: Person, other: Person) -> Room | None:
        """The one-to-one chat of two people."""
        pairs = (room for room in self.rooms if room.type == ONE_TO_ONE)
        return next((room for room in pairs if {*room.members} == {one, other}), None)

    def enter(self, room: Room, person: Person) -> Member:
        """Somebody's membership; being a member is needed in every case."""
        if person not in room.members:
            raise Refused(4002)
        return room.members[person]


def _waits_for(notification: Notification, person: Person) -> bool:
    if notification.recipient is not None:
        return notification.recipient is person
    member = notification.message.room.members.get(person)
    return (
        member is not None
        and member.since < notification.born
        and notification.actor is not person
        and person not in notification.message.got
    )
