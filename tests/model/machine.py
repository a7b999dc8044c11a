"""The machine: people do what is drawn on their sockets, and the model says what comes of it.

Each step is one event of one device. It ends when nothing more can come of it, by a fence on every
socket. Then each frame that arrived anywhere has to be one that the model expects there.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hypothesis import event as note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model import events, shapes
from tests.model.chat import CHANNEL, DELETE, GROUP, Chat, Frame, Person, Refused
from tests.model.devices import Device
from tests.model.events import sessions
from tests.model.registry import TRIES, Act, Try, acts, mostly
from tests.model.values import ANYTHING, Comparison, Id, Matching, Text

__all__ = ["Machine", "events", "machine_of"]

T = TypeVar("T")

#: How many sockets are open at most.
DEVICES = 7
request_ids = st.sampled_from([None, None, 7, "an id"])

REFUSED: Frame = {"error": {"code": 4003, "detail": ANYTHING}}
#: Frames that are none, and what is said to them.
NONSENSE: list[tuple[dict[str, Any], Frame]] = [
    *(
        ({"text": text}, REFUSED)
        for text in ("{", "[]", "{}", '{"event_type": 5}', '{"event_type": "message.send"}')
    ),
    ({"bytes": b"{}"}, REFUSED),
    ({"text": '{"event_type": "room.paint", "data": {}}'}, {"error": "invalid event type"}),
]
SAID = {"content": "hello", "client_id": "1"}

#: What happens to sockets besides events, with its weight and what is drawn for it.
OTHERS: dict[str, tuple[int, dict[str, Any]]] = {
    "connect": (3, {}),
    "disconnect": (2, {}),
    "reconnect": (4, {"mode": sessions.modes, "number": st.integers(0, 5)}),
    "resume": (
        4,
        {
            "mode": sessions.modes,
            "number": st.integers(0, 5),
            "epoch": mostly("left out", "right", but=["wrong"]),
            "request": request_ids,
        },
    ),
    "resume_wrongly": (1, {"data": st.sampled_from(sessions.MALFORMED)}),
    "talk_nonsense": (1, {"what": st.integers(0, len(NONSENSE) - 1)}),
}

#: Frames that have to come, by what they come in order with: their stream, or None for answers.
Expected = dict[Any, deque[Frame]]


class Machine(RuleBasedStateMachine):
    """A story: four people with their sockets; `machine_of` says on which server.

    Attributes:
        runner: the event loop of the server and its sockets.
        make_users: makes so many users.
        soft: whether deleted messages stay as hidden rows.
        done: how often each event was not refused.
    """

    runner: asyncio.Runner
    make_users: Callable[[int], list[tuple[Person, Any]]]
    soft: bool
    done: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        made = type(self).make_users(4)
        self.users = dict(made)
        self.chat = Chat([person for person, _ in made], soft=type(self).soft)
        self.devices: list[Device] = []
        self.epoch = Text()
        self._ids: set[str] = set()
        self._is_whole = False

    # Steps

    @initialize()
    def begin(self) -> None:
        """Open a socket of each person; make a room of each kind, and say something there."""
        for person in self.chat.people:
            self.open(person)
        given: dict[str, Any] = {"name": "room", "cap": None, "prefers": None}
        group = {**given, "type": GROUP, "who": [1, 2, 3], "given": {}}
        channel = {**given, "type": CHANNEL, "who": [0, 2], "given": {"is_public": True}}
        beginning: list[tuple[int, str, dict[str, Any]]] = [
            (0, "create_room", group),
            (1, "create_room", channel),
            (0, "create_pair", {"who": [1]}),
            (0, "set_leaders", {"place": 0, "action": "add_admin", "who": [1]}),
            (0, "set_permissions", {"place": 0, "add": True, "who": [2], "rights": [DELETE]}),
            *((who, "send_text", {**SAID, "place": 0}) for who in range(4)),
            (1, "send_text", {**SAID, "place": 8, "client_id": None}),
        ]
        for who, name, drawn in beginning:
            self.play(TRIES[name], who, None, drawn)
        self._is_whole = True

    @rule(on=st.integers(0, 9), request=request_ids, act=acts(OTHERS))
    def step(self, on: int, request: Any, act: Act) -> None:
        """Let somebody do something on one of the sockets."""
        self._is_whole = False
        if act.name in TRIES:
            self.play(TRIES[act.name], on, request, act.drawn)
        else:
            getattr(self, act.name)(on, **act.drawn)
        self._is_whole = True

    def connect(self, on: int) -> None:
        """Open one more socket."""
        if len(self.devices) < DEVICES:
            self.open(self.chat.people[on % len(self.chat.people)])

    def disconnect(self, on: int) -> None:
        """Close a socket."""
        if len(self.devices) > 2:
            device = self.devices.pop(on % len(self.devices))
            self._run(device.close())

    def reconnect(self, on: int, mode: str, number: int) -> None:
        """Lose a connection, come back and resume."""
        device = self.devices.pop(on % len(self.devices))
        self._run(device.close())
        returned = self.open(device.person)
        returned.kept = device.kept
        self._resume(returned, mode, number, None)

    def resume(self, on: int, mode: str, number: int, epoch: str, request: Any) -> None:
        """Resume on a socket that is open."""
        self._resume(self.devices[on % len(self.devices)], mode, number, request, epoch)

    def resume_wrongly(self, on: int, data: Any) -> None:
        """Send what is no data of a resume."""
        device = self.devices[on % len(self.devices)]
        self.chat.begin()
        device.send({"event_type": "session.resume", "data": data})
        self._take(device, _private(REFUSED), f"{data}")

    def talk_nonsense(self, on: int, what: int) -> None:
        """Send what is no frame, or no event."""
        device = self.devices[on % len(self.devices)]
        self.chat.begin()
        content, answer = NONSENSE[what]
        device.send_raw(content)
        self._take(device, _private(answer), f"{content}")

    def teardown(self) -> None:
        """Let everybody read all that is theirs of the log, where no step failed; close all."""
        try:
            if self._is_whole:
                for person in self.chat.people:
                    owned = [each for each in self.devices if each.person is person]
                    self._resume(owned[0] if owned else self.open(person), "beginning", 0, None)
        finally:
            for device in self.devices:
                self._run(device.close())

    def open(self, person: Person) -> Device:
        """Open a socket, which is told what waits."""
        device = Device(person, self.users[person])
        self._run(device.open())
        waiting: dict[str, list[Any]] = defaultdict(list)
        for each in self.chat.waiting(person):
            waiting[each.message.room.id.value].append(shapes.notification(each))
        self.devices.append(device)
        self.chat.begin()
        greeting = {"eventType": "chat.notifications", "data": dict(waiting)}
        self._compare({device: [self._run(device.next_frame())]}, {device: _private(greeting)}, "")
        return device

    def play(self, tried: Try, on: int, request: Any, drawn: dict[str, Any]) -> None:
        """Let a device try an event, and the model play it."""
        device = self.devices[on % len(self.devices)]
        self.chat.begin()
        playing = tried.play(self.chat, device.person, **drawn)
        frame: Frame = {"event_type": tried.event_type, "data": next(playing)}
        refused: Refused | None = None
        try:
            next(playing, None)
        except Refused as refusal:
            refused = refusal
        name = tried.play.__name__
        # What comes how often: `pytest --hypothesis-show-statistics` tells.
        note(f"{name}: {refused.code if refused else 'done'}")
        type(self).done[name] += refused is None
        if request is not None:
            frame["request_id"] = request
        device.send(frame)
        expected = self._expected(device, tried, refused, request)
        self._take(device, expected, f"{device.person.name} sent {json.dumps(frame)}")

    def _expected(
        self, device: Device, tried: Try, refused: Refused | None, request: Any
    ) -> Expected:
        """The private answers to an event."""
        if refused is not None:
            answers: list[Frame] = [{"error": {"code": refused.code, "detail": refused.detail}}]
        elif self.chat.private:
            answers = self.chat.private
        elif request is not None or tried.event_type == "session.heartbeat":
            answers = [{"status": "success"}]
        else:
            answers = []
        if request is not None:
            answers = [{**answer, "request_id": request} for answer in answers]
        return _private(*answers)

    def _resume(
        self, device: Device, mode: str, number: int, request: Any, epoch: str = "left out"
    ) -> None:
        self.chat.begin()
        wanted = sessions.name_streams(self.chat, device.person, device.kept, mode, number)
        data: dict[str, Any] = {"streams": wanted}
        if epoch == "wrong":
            data["epoch"] = "another"
        elif epoch == "right" and self.epoch.value is not None:
            data["epoch"] = self.epoch.value
        replay, answer = sessions.resume(
            self.chat, device.person, wanted, same_history=epoch != "wrong"
        )
        frame: Frame = {"event_type": "session.resume", "data": data}
        resumed: Frame = {
            "eventType": "session.resumed",
            "data": {"streams": answer, "epoch": self.epoch},
        }
        if request is not None:
            frame["request_id"] = resumed["request_id"] = request
        expected = _private(resumed)
        for stream, seq, missed in replay:
            expected[stream].append({**missed, "stream": stream.name, "seq": seq})
        device.send(frame)
        frames = self._take(device, expected, f"{device.person.name} sent {json.dumps(frame)}")
        assert frames[-1]["eventType"] == "session.resumed", frames
        device.resumed = True
        device.kept = {
            name: found["seq"]
            for name, found in frames[-1]["data"]["streams"].items()
            if "seq" in found
        }

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        # Not `Runner.run`: each time it sets a signal handler, which shows the task as a text.
        return self.runner.get_loop().run_until_complete(work)

    # Frames

    def _take(self, device: Device, expected: Expected, what: str) -> list[Frame]:
        """Take all that comes of an event on every socket, and compare it; returns the device's."""
        wanted = {each: _private() for each in self.devices}
        wanted[device] = expected
        for told in self.chat.told:
            for each in self.devices:
                if each.person in told.people:
                    wanted[each][told.stream].append(_as_sent(told, each))
        frames = self._run(self._gather(device))
        self._compare(frames, wanted, what)
        return frames[device]

    async def _gather(self, device: Device) -> dict[Device, list[Frame]]:
        # When the asking socket has its answer, what the others are told has been handed to them.
        frames = {device: await device.until(device.fence())}
        fences = [(each, each.fence()) for each in self.devices if each is not device]
        for each, mark in fences:
            frames[each] = await each.until(mark)
        return frames

    def _compare(
        self, frames: dict[Device, list[Frame]], expected: dict[Device, Expected], what: str
    ) -> None:
        for device, came in frames.items():
            wanted = expected[device]
            for frame in came:
                self._match(frame, wanted, f"{what}\n{device.person.name} was sent")
                if "seq" in frame:
                    device.kept[frame["stream"]] = frame["seq"]
            left = [frame for queue in wanted.values() for frame in queue]
            assert not left, f"{what}\n{device.person.name} was not sent {left}, but {came}"

    def _match(self, frame: Frame, wanted: Expected, what: str) -> None:
        """Take a frame off what is expected: each stream is in order, and so are the answers."""
        problems = []
        for queue in wanted.values():
            if queue:
                comparison = Comparison(queue[0], frame)
                if comparison.problem is None:
                    queue.popleft()
                    self._note(comparison)
                    return
                problems.append(f"{comparison.problem} of {queue[0]}")
        raise AssertionError(
            f"{what} {json.dumps(frame)}; expected was " + ("\nor ".join(problems) or "nothing")
        )

    def _note(self, comparison: Comparison) -> None:
        """Let no two things have one id."""
        for learned in comparison.learned:
            if isinstance(learned, Id):
                assert learned.value not in self._ids, f"{learned.value} is there already"
                self._ids.add(learned.value)


def _private(*answers: Frame) -> Expected:
    expected: Expected = defaultdict(deque)
    expected[None].extend(answers)
    return expected


def _as_sent(told: Any, device: Device) -> Frame:
    """A dispatch as a socket gets it: with its place, once the socket has resumed."""
    if not device.resumed or not told.seq:
        return dict(told.frame)
    # The name of a new room's stream is known when the frame has told the room's id.
    stream = told.stream
    name = Matching("the name of its stream", lambda value: value == stream.name)
    return {**told.frame, "stream": name, "seq": told.seq}


def machine_of(
    runner: asyncio.Runner,
    make_users: Callable[[int], list[tuple[Person, Any]]],
    *,
    soft: bool = False,
) -> type[Machine]:
    """Return the machine for a server."""
    own = {"runner": runner, "make_users": make_users, "soft": soft, "done": Counter()}
    return type("ChatMachine", (Machine,), own)
