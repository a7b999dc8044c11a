"""``session.resume`` for tests: what a socket is shown, and where its streams stand."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tests.client import Frame
from tests.wire.rooms import Person, Room

Places = dict[str, int]


def of_room(room: Room) -> str:
    """The stream of a room."""
    return f"room:{room['id']}"


def of_user(person: Person) -> str:
    """The stream of a user."""
    return f"user:{person.id}"


def reached(answer: dict[str, Any]) -> Places:
    """Where each stream stands, as ``session.resumed`` says it."""
    return {name: stream["seq"] for name, stream in answer.items() if "seq" in stream}


def brief(frames: Iterable[Frame]) -> list[tuple[str, str, int]]:
    """Of each frame: its event, its stream and its place."""
    return [(frame["eventType"], frame["stream"], frame["seq"]) for frame in frames]


async def resume_with_epoch(
    socket: Person, streams: Places, **more: Any
) -> tuple[list[Frame], dict[str, Any], str]:
    """Resume; returns the frames before the answer, the answer's streams, and its epoch."""
    await socket.send("session.resume", {"streams": streams, **more})
    frames = []
    while (frame := await socket.next()).get("eventType") != "session.resumed":
        frames.append(frame)
    assert frame.keys() == {"eventType", "data"}
    assert frame["data"].keys() == {"streams", "epoch"}
    epoch = frame["data"]["epoch"]
    assert isinstance(epoch, str)
    assert 0 < len(epoch) <= 64
    return frames, frame["data"]["streams"], epoch


async def resume(
    socket: Person, streams: Places, **more: Any
) -> tuple[list[Frame], dict[str, Any]]:
    """Resume; returns the frames that come before the answer, and the answer's streams."""
    frames, answer, _ = await resume_with_epoch(socket, streams, **more)
    return frames, answer


async def follow(socket: Person) -> Places:
    """Ask for no replay; returns where the streams stand."""
    frames, answer = await resume(socket, {})
    assert frames == []
    assert all(stream["recovered"] is True for stream in answer.values())
    return reached(answer)


async def taken_until_now(socket: Person) -> list[Frame]:
    """Every frame until all that the socket has sent is dealt with."""
    await socket.send("session.heartbeat")
    frames = []
    while (frame := await socket.next()) != {"status": "success"}:
        frames.append(frame)
    return frames


def placed(frames: Iterable[Frame]) -> dict[str, list[int]]:
    """The places of frames, by stream, in the order in which they came."""
    places: dict[str, list[int]] = defaultdict(list)
    for frame in frames:
        if "seq" in frame:
            places[frame["stream"]].append(frame["seq"])
    return places
