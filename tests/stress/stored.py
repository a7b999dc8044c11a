"""What the database holds when all is quiet, and whether that is what was confirmed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection, connections
from django.db.models import Count, Max, Min

from gql_chat.models import (
    ClientMessage,
    Delivery,
    Membership,
    StreamEvent,
    UserStream,
    get_model,
)
from gql_chat.streams.shown import find_messages
from tests.stress.erased import read_erased
from tests.stress.journal import Entry, Journal
from tests.stress.texts import number_of
from tests.stress.world import World

T = TypeVar("T")

SHOW_MEMBERS = ("RoomCreated", "RoomUpdated", "MembersAdded", "MembersRemoved")
"""Frames that show the members of a room."""


async def read(work: Callable[[], T]) -> T:
    """Do database work in a thread of its own."""

    def run() -> T:
        try:
            return work()
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


@dataclass(frozen=True)
class Heads:
    """Where all streams stand, and who is in which room."""

    places: dict[str, int]
    members: dict[Any, set[str]]

    def expected(self, user: Any) -> dict[str, int]:
        """The streams that a user follows, with the places that their devices must have."""
        names = [f"user:{user}", *(f"room:{room_id}" for room_id in self.members.get(user, ()))]
        return {name: self.places[name] for name in names if self.places.get(name)}


def heads() -> Heads:
    """Read where all streams stand."""
    places = {f"room:{pk}": seq for pk, seq in get_model("Room").objects.values_list("pk", "seq")}
    places |= {f"user:{pk}": seq for pk, seq in UserStream.objects.values_list("pk", "seq")}
    members: dict[Any, set[str]] = defaultdict(set)
    for user_id, room_id in Membership.objects.values_list("user_id", "room_id"):
        members[user_id].add(str(room_id))
    return Heads(places, members)


def check(world: World) -> None:
    """Check all that the database alone can tell."""
    check_streams(world.journal)
    check_erased(world.journal)
    check_texts(world)
    check_refusals(world.journal)
    check_notifications(world.journal)
    check_caps(world.journal)
    check_deliveries(world.journal)
    check_connections(world.journal)


def check_streams(journal: Journal) -> None:
    """Each stream has no gap, and stands where its log ends."""
    logged = StreamEvent.objects.values("stream").order_by()
    ends = {
        row["stream"]: (row["first"], row["last"], row["count"])
        for row in logged.annotate(first=Min("seq"), last=Max("seq"), count=Count("pk"))
    }
    places = heads().places
    gone = {stream for stream in ends if stream.startswith("room:") and stream not in places}
    for stream, (first, last, count) in ends.items():
        # Of a deleted room the log keeps the frame that says so, and no other.
        if count != (1 if stream in gone else last) or first != last - count + 1:
            what = f"the log of {stream} has {count} frames from place {first} to {last}"
            journal.violate("log", what, stream)
    newest = logged.filter(stream__in=gone).values_list("stream", "kind")
    for stream, kind in newest:
        if kind != "RoomDeleted":
            journal.violate("log", f"the log of {stream}, which is gone, keeps {kind}", stream)
    for stream, seq in places.items():
        last = ends.get(stream, (0, 0, 0))[1]
        if last != seq:
            journal.violate("head", f"{stream} stands at {seq}, its log ends at {last}", stream)


def check_erased(journal: Journal) -> None:
    """Only deleted rooms lost frames, and all of them but the last; none shows what is deleted."""
    places, lost = heads().places, defaultdict(list)
    for frame in read_erased():
        lost[frame.stream].append(frame.seq)
    for stream, seqs in lost.items():
        if stream in places or not stream.startswith("room:"):
            journal.violate("erased", f"{stream} is there, and lost {seqs[:10]}", stream)
    ends = dict(StreamEvent.objects.filter(stream__in=lost).values_list("stream", "seq"))
    for stream, seqs in lost.items():
        if seqs != list(range(1, ends.get(stream, 0))):
            what = f"{stream} keeps place {ends.get(stream)} and lost {seqs[:10]}"
            journal.violate("erased", what, stream)
    there = {str(pk) for pk in get_model("Message").objects.values_list("pk", flat=True)}
    for stream, seq, payload in StreamEvent.objects.values_list(
        "stream", "seq", "payload"
    ).iterator():
        for message, _ in find_messages(json.loads(payload)):
            if message["id"] not in there and message["content"]:
                what = f"{stream} {seq} still shows message {message['id']}, which is deleted"
                journal.violate("erased", what, stream)


def check_texts(world: World) -> None:
    """Each confirmed text is stored once, whole, in its room, as its sender's."""
    journal = world.journal
    entries = journal.texts
    sent = {
        int(row.client_id.rpartition("-")[2]): str(row.message)
        for row in ClientMessage.objects.filter(client_id__startswith=f"{world.seed}-")
    }
    stored = {str(row.pk): row for row in get_model("Message").objects.all()}
    numbers = Counter(number_of(row.content) for row in stored.values())
    edits: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries.values():
        if entry.message is not None:
            edits[entry.message].append(entry)
    for number, entry in entries.items():
        if entry.message is not None:
            continue
        _check_sent(journal, entry, sent.get(number), stored, numbers[number])
    origins = {message_id: number for number, message_id in sent.items()}
    for message_id, row in stored.items():
        room = str(row.room_id)
        shown = number_of(row.content)
        if message_id not in origins or shown not in entries:
            journal.violate("own text", f"nobody wrote {message_id}: {row.content[:200]!r}", room)
            continue
        allowed = _allowed(entries[origins[message_id]], edits[message_id])
        entry = entries[shown]
        if shown not in allowed:
            what = f"message {message_id} holds text {shown}, which is not one of {allowed}"
            journal.violate("own text", what, room)
        elif row.content != world.texts.cleaned(shown):
            what = (
                f"message {message_id} holds text {shown} with {len(row.content)} characters "
                f"instead of {len(world.texts.cleaned(shown))}: {row.content!r}"
            )
            journal.violate("own text", what, room)
        if row.sender_id != entry.sender or room not in entry.rooms:
            what = f"message {message_id}: sender {row.sender_id}, room {room}, but {entry}"
            journal.violate("own text", what, room)


def _check_sent(
    journal: Journal, entry: Entry, message: str | None, stored: dict[str, Any], count: int
) -> None:
    number, about = entry.number, entry.rooms
    if count > 1:
        journal.violate("once", f"text {number} is stored {count} times", *about)
    doomed = message in journal.doomed or journal.doomed_rooms.intersection(about)
    if entry.outcome == "confirmed" and message is None:
        journal.violate("stored", f"text {number} was confirmed and is not stored", *about)
    elif entry.outcome == "confirmed" and message not in stored and not doomed:
        what = f"text {number}, message {message}, was confirmed, and is gone"
        journal.violate("stored", what, *about)
    elif entry.outcome == "refused" and message is not None and not entry.doubtful:
        what = f"text {number} was refused, and is stored as message {message}"
        journal.violate("stored", what, *about)


def _allowed(origin: Entry, edits: list[Entry]) -> list[int]:
    """The numbers of the texts that a message may hold: that of the last edit that was done.

    Each sender edits a message by one device at a time, so the edits have an order.
    """
    allowed = [origin.number]
    for edit in sorted(edits, key=lambda each: each.number):
        if edit.outcome == "confirmed":
            allowed = [edit.number]
        elif edit.outcome == "asked" or edit.doubtful:
            allowed.append(edit.number)
    return allowed


def check_refusals(journal: Journal) -> None:
    """What was said to be missing is missing; what was said to be deleted is gone."""
    there = {str(pk) for pk in get_model("Message").objects.values_list("pk", flat=True)}
    there |= {str(pk) for pk in get_model("Room").objects.values_list("pk", flat=True)}
    for deed, named in journal.missing:
        if there.issuperset(named):
            what = f"{deed.person} was told that what exists does not: {deed}"
            journal.violate("missing", what, deed.person)
    sent = dict(ClientMessage.objects.values_list("client_id", "message"))
    for deed in journal.vanished:
        message_id = sent.get(deed.data["client_id"])
        if message_id is None or str(message_id) in there:
            what = (
                f"{deed.person} was told that a message is deleted, which is {message_id}: {deed}"
            )
            journal.violate("missing", what, deed.person)
    for key in journal.deleted & there:
        journal.violate("deleted", f"{key} was deleted, and is still there", key)


def check_notifications(journal: Journal) -> None:
    """No notification waits for nobody."""
    members: dict[Any, list[tuple[Any, Any]]] = defaultdict(list)
    for room_id, user_id, joined in Membership.objects.values_list(
        "room_id", "user_id", "joined_at"
    ):
        members[room_id].append((user_id, joined))
    has: dict[Any, set[Any]] = defaultdict(set)
    for message_id, user_id in Delivery.objects.values_list("message_id", "user_id"):
        has[message_id].add(user_id)
    for each in get_model("ChatNotification").objects.filter(recipient=None):
        waiting = {user for user, joined in members[each.room_id] if joined <= each.created_at}
        if not waiting - has[each.message_id] - {each.actor_id}:
            what = f"the notification of message {each.message_id} waits for nobody"
            journal.violate("notifications", what, str(each.room_id))


def check_caps(journal: Journal) -> None:
    """No room is, or was shown, with more members than it may have."""
    model = get_model("Room")
    for room in model.objects.annotate(count=Count("memberships")):
        cap = room.max_participants or room.max_subscribers
        if cap is not None and room.count > cap:
            journal.violate("caps", f"{room} has {room.count} members, of {cap}", str(room.pk))
    shown = StreamEvent.objects.filter(kind__in=SHOW_MEMBERS)
    for stream, seq, payload in shown.values_list("stream", "seq", "payload").iterator():
        room = json.loads(payload)["room"]
        count = len(room.get("participants") or room.get("subscribers") or ())
        cap = room.get("max_participants") or room.get("max_subscribers")
        if cap is not None and count > cap:
            journal.violate("caps", f"{stream} {seq} shows {count} members, of {cap}", stream)


def check_deliveries(journal: Journal) -> None:
    """A sender was told once of each who got a message."""
    told: Counter[str] = Counter()
    who: dict[str, set[str]] = defaultdict(set)
    streams: dict[str, str] = {}
    rows = StreamEvent.objects.filter(kind="MessagesDelivered").values_list("stream", "payload")
    for stream, payload in rows.iterator():
        for message in _messages(json.loads(payload)):
            if message["is_deleted"]:
                continue  # it is blank: nothing says who got it
            told[message["id"]] += 1
            who[message["id"]].update(message["delivered_to"])
            streams[message["id"]] = stream
    for message_id, times in told.items():
        if times > len(who[message_id]):
            what = f"{len(who[message_id])} got message {message_id}, its sender heard it {times} x"
            journal.violate("told once", what, streams[message_id])


def _messages(payload: Any) -> list[Any]:
    found = payload.get("messages", payload) if isinstance(payload, dict) else payload
    return found if isinstance(found, list) else [found]


def check_connections(journal: Journal) -> None:
    """No transaction is left open."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' "
            "AND datname = current_database()"
        )
        for pid, query in cursor.fetchall():
            journal.violate("transactions", f"{pid} left a transaction open after {query}")
