"""Counts what one user has not read, in each room, from the frames of a socket.

The server counts when it is asked, and says under which sequence number of the room's stream
(`as_of`). This adds what came later. Of a few frames it cannot know what they change: of a message
that was deleted, say, whether it had been unread. Then the room is in `stale`, and the answer to
`unread.list` for that room says:

    counts = UnreadCounts(me.id, me.username)
    counts.take(frame)                      # every frame, in order, after `session.resumed`
    for room_id in counts.ask():
        answer = await client.ask("unread.list", {"room_id": room_id}, answer="unreadlist.dispatch")
        counts.answer(answer, room_id)

At first, and where a stream was not recovered, ask for all rooms: `counts.ask_all()`, then
`counts.answer(await client.ask("unread.list", {}, answer="unreadlist.dispatch"))`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Frame = Mapping[str, Any]
RoomId = str


@dataclass
class RoomCount:
    """What is unread in a room.

    Attributes:
        counted: how many messages the server counted.
        as_of: the sequence number under which it did.
        mentions: how many of them mention the user.
        more: whether there are more than the server counts.
        first_unread: the oldest of them, as the server said.
        marked: whether the room is marked as unread, so that receipts change nothing.
        later: the messages of others that came after `as_of`, with their sequence numbers.
        seen: the highest sequence number of the room that was taken.
        read: messages of which a receipt of the user's was taken.
    """

    counted: int = 0
    as_of: int = 0
    mentions: int = 0
    more: bool = False
    first_unread: str | None = None
    marked: bool = False
    later: dict[str, int] = field(default_factory=dict)
    seen: int = 0
    read: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many messages are unread, at least that many if there are `more`."""
        return self.counted + len(self.later)

    @property
    def had_some(self) -> bool:
        """Whether the server counted any."""
        return self.counted > 0


class UnreadCounts:
    """The counts of one user.

    Args:
        user_id: the user's id.
        username: the user's name.

    Attributes:
        rooms: what is unread, by the room's id.
        stale: the rooms of which the server has to be asked.
    """

    def __init__(self, user_id: Any, username: str) -> None:
        self.user_id = user_id
        self.username = username
        self.rooms: dict[RoomId, RoomCount] = {}
        self.stale: set[RoomId] = set()
        self._touched: dict[RoomId | None, set[RoomId]] = {}

    def __getitem__(self, room_id: RoomId) -> RoomCount:
        """Return what is unread in a room."""
        return self.rooms.setdefault(room_id, RoomCount())

    @property
    def total(self) -> int:
        """How many messages are unread in all rooms."""
        return sum(room.count for room in self.rooms.values())

    # Questions

    def ask(self) -> list[RoomId]:
        """Return the rooms of which the server has to be asked now, each once."""
        asked, self.stale = sorted(self.stale), set()
        for room_id in asked:
            self._touched[room_id] = set()
        return asked

    def ask_all(self) -> None:
        """Note that the server is being asked for all rooms."""
        self.stale.clear()
        self._touched[None] = set()

    def answer(self, data: Mapping[str, Any], room_id: RoomId | None = None) -> None:
        """Take the answer to `unread.list`.

        Args:
            data: the data of the answer.
            room_id: the room that was asked for; None for all.
        """
        touched = self._touched.pop(room_id, set())
        listed = set()
        for found in data["rooms"]:
            listed.add(found["room_id"])
            self._count(found)
            # What the user did meanwhile, on this device or another, may not be in the answer.
            if found["room_id"] in touched:
                self.stale.add(found["room_id"])
        if room_id is not None:
            return
        for other, room in self.rooms.items():
            if other in listed:
                continue
            if other in touched:
                self.stale.add(other)
            else:
                self.rooms[other] = RoomCount(as_of=room.seen, seen=room.seen, read=room.read)

    # Frames

    def take(self, frame: Frame) -> None:
        """Take a frame. Those that tell of nothing that is counted change nothing."""
        data: Any = frame.get("data")
        stream, seq = str(frame.get("stream", "")), int(frame.get("seq", 0))
        kind, room_id = frame.get("eventType"), stream.removeprefix("room:")
        if kind == "unread.dispatch":
            self._touch(data["room_id"])
            self._count(data)
        elif kind in ("roomexit.dispatch", "roomdelete.dispatch"):
            self._forget(data["room_id"] if "room_id" in data else data["room"]["id"])
        elif not stream.startswith("room:"):
            return
        elif kind == "roomcreate.dispatch" or (
            kind == "roomaddmembers.dispatch" and self.username in data["new_members"]
        ):
            self._touch(room_id)
            self.rooms[room_id] = RoomCount(as_of=seq, seen=seq)
        else:
            room = self[room_id]
            room.seen = max(room.seen, seq)
            if seq > room.as_of:
                self._follow(kind, data, room_id, seq)

    def _follow(self, kind: Any, data: Any, room_id: RoomId, seq: int) -> None:
        """Take a frame of a room that came after the room was counted."""
        room = self[room_id]
        if kind == "message.dispatch":
            self._touch(room_id, alone=False)
            if data["sender"]["id"] != self.user_id:
                room.later[data["id"]] = seq
        elif kind == "messagemodification.dispatch" and data["action"] == "delete":
            self._drop(room_id, data["message_ids"])
        elif kind == "readreceipt.dispatch":
            self._read(room_id, data if isinstance(data, list) else [data])

    def _read(self, room_id: RoomId, messages: Iterable[Any]) -> None:
        room = self[room_id]
        new = [
            message["id"]
            for message in messages
            if message["id"] not in room.read
            and any(each["reader"]["id"] == self.user_id for each in message["read_receipts"])
        ]
        room.read.update(new)
        if new and room.marked:
            self._touch(room_id)
        elif new:
            self._drop(room_id, new)

    def _drop(self, room_id: RoomId, message_ids: Iterable[str]) -> None:
        """Take messages out of what is unread; of older ones it is not known whether they were."""
        room = self[room_id]
        self._touch(room_id)
        for message_id in message_ids:
            if room.later.pop(message_id, None) is None and room.had_some:
                self.stale.add(room_id)

    def _count(self, found: Mapping[str, Any]) -> None:
        """Take what the server has counted, unless it is older than what is known."""
        room_id, as_of = found["room_id"], found["as_of"]
        room = self[room_id]
        if as_of < room.as_of:
            return
        room.counted, room.as_of = found["unread_count"], as_of
        room.mentions, room.more = found["mention_count"], found["more"]
        room.first_unread, room.marked = found["first_unread"], found["marked"]
        room.later = {key: seq for key, seq in room.later.items() if seq > as_of}
        self.stale.discard(room_id)

    def _touch(self, room_id: RoomId, *, alone: bool = True) -> None:
        """Note, for questions that are under way, that something happened in a room.

        Args:
            room_id: the room.
            alone: whether it matters to a question for that room alone, too: a new message does
                not, since the answer says as of when it is.
        """
        for asked, touched in self._touched.items():
            if asked is None or (alone and asked == room_id):
                touched.add(room_id)

    def _forget(self, room_id: RoomId) -> None:
        self.rooms.pop(room_id, None)
        self.stale.discard(room_id)
