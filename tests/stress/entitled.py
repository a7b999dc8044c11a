"""Whether each device was given what its user was entitled to, and nothing else."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

from gql_chat.models import Membership, StreamEvent
from tests.stress.devices import Device
from tests.stress.erased import read_erased
from tests.stress.places import Heard, Stays
from tests.stress.stored import Heads
from tests.stress.world import World

#: How many places of one stream a failure names.
SHOWN = 10

Change = tuple[int, int, str, str, int, int]


def read_stays() -> dict[str, list[tuple[int, Any]]]:
    """What the log says, or said, of who came and went: places and changes, by stream."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for frame in read_erased():
        if frame.change is not None:
            found[frame.stream].append((frame.seq, frame.change))
    rows = StreamEvent.objects.filter(change__isnull=False).order_by("stream", "seq")
    for stream, seq, change in rows.values_list("stream", "seq", "change"):
        found[stream].append((seq, change))
    return found


def read_message_places() -> dict[str, tuple[str, int]]:
    """Where each message was dispatched first."""
    rows = StreamEvent.objects.filter(kind="MessageSent").order_by("-seq")
    found = {}
    for stream, seq, payload in rows.values_list("stream", "seq", "payload").iterator():
        data = json.loads(payload)
        found[str(data.get("message", data)["id"])] = (stream, seq)
    return found


def read_beginnings() -> dict[tuple[str, Any], int]:
    """Where each present membership began."""
    rows = Membership.objects.values_list("room_id", "user_id", "joined_seq")
    return {(f"room:{room_id}", user_id): seq for room_id, user_id, seq in rows}


def stays_of(
    world: World, logged: dict[str, list[tuple[int, Any]]]
) -> dict[tuple[str, Any], Stays]:
    """Work out who was in which room, from where to where.

    The log tells it, except of what plain code did without a frame: of that the world knows
    between which places it was.
    """
    changes: dict[tuple[str, Any], list[Change]] = defaultdict(list)
    users = {str(person.user): person.user for person in world.people}
    for stream, rows in logged.items():
        for seq, change in rows:
            for user in change.get("joined", ()):
                changes[stream, users.get(user)].append((seq, 0, "join", "log", seq, seq))
            for user in change.get("left", ()):
                changes[stream, users.get(user)].append((seq, 1, "leave", "log", seq - 1, seq - 1))
            if change.get("closed"):
                for user in users.values():
                    changes[stream, user].append((seq, 2, "leave", "log", seq, seq))
    for room_id, user, seq in world.plain_joins:
        changes[f"room:{room_id}", user].append((seq, 0, "join", "plain", seq, seq))
    for room_id, user, before, after in world.plain_removals:
        known = changes[f"room:{room_id}", user]
        # With a frame of its own the log knows it better.
        if not any(one[2] == "leave" and before < one[0] <= after for one in known):
            # Where there is no frame, the last ones before it may be lost on the way.
            known.append((before, 3, "leave", "plain", 0, after))
    found: dict[tuple[str, Any], Stays] = defaultdict(Stays)
    for key, known in changes.items():
        # Who is brought in with no frame of its own, and put out by the next, has heard neither:
        # at one place joins come first.
        for _, _, what, _, one, other in sorted(known):
            if what == "join":
                found[key].begin(one)
            else:
                found[key].end(one, other)
    return found


def check(
    world: World,
    heads: Heads,
    stays: dict[tuple[str, Any], Stays],
    places: dict[str, tuple[str, int]],
) -> None:
    """Compare what every device was given with what it was entitled to."""
    for person in world.people:
        for device in [*person.devices, *person.retired]:
            on = device in person.devices
            for stream, heard in [*device.past, *device.heard.items()]:
                if stream.startswith("user:"):
                    _check_own(world, device, stream, heard)
                else:
                    # What came after a device was turned off, or began anew, is not its matter.
                    # A stream may stand below what its log has: `stored` tells of that.
                    stands = max(heads.places.get(stream, 0), heard.last)
                    head = stands if on else heard.last
                    if device.heard.get(stream) is not heard:
                        head = heard.last
                    _check_room(world, device, stream, heard, stays[stream, device.user], head)
            if not device.resumes:
                _check_page(world, device, stays, places)


def _check_own(world: World, device: Device, stream: str, heard: Heard) -> None:
    if stream != f"user:{device.user}":
        what = f"{device.name} was given frames of {stream}"
        world.journal.violate("entitled", what, stream, device.username)
    if len(heard.runs) > 1 or (heard.runs and heard.after not in (None, heard.runs[0][0] - 1)):
        what = f"{device.name} was not given all of {stream}: {heard}"
        world.journal.violate("complete", what, stream, device.username)


def _check_room(
    world: World, device: Device, stream: str, heard: Heard, stays: Stays, head: int
) -> None:
    if not heard.runs and heard.after is None:
        return
    alien, lost = stays.problems(heard, head)
    if alien:
        what = (
            f"{device.name} was given {stream} at {alien[:SHOWN]}, where its user was not in the "
            f"room: in from {stays}, heard {heard}"
        )
        world.journal.violate("entitled", what, stream, device.username)
    if lost:
        what = (
            f"{device.name} was not given {stream} at {lost[:SHOWN]}, where its user was in the "
            f"room: in from {stays}, heard {heard}"
        )
        world.journal.violate("complete", what, stream, device.username)


def _check_page(
    world: World,
    device: Device,
    stays: dict[tuple[str, Any], Stays],
    places: dict[str, tuple[str, int]],
) -> None:
    """Of a page that never resumed the messages tell their places."""
    for room_id, ids in device.order.items():
        stream = f"room:{room_id}"
        found = [places[message_id][1] for message_id in ids if message_id in places]
        if any(one >= other for one, other in pairwise(found)):
            what = f"{device.name} was given messages of {stream} in the order {found}"
            world.journal.violate("places", what, stream, device.username)
        times = list(stays[stream, device.user].until(2**63))
        alien = [seq for seq in found if not any(one.first <= seq <= one.last for one in times)]
        if alien:
            what = (
                f"{device.name} was given messages of {stream} at {alien[:SHOWN]}, where its user "
                f"was not in the room: {times}"
            )
            world.journal.violate("entitled", what, stream, device.username)
