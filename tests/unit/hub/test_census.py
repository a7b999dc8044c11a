"""The census of a hub: what it holds, and that it is told only to who records it."""

from types import SimpleNamespace
from typing import Any

from event_bridge.hub.census import take_census
from event_bridge.metrics import Census, Recorder

from .world import World


class Looking(Recorder):
    """Keeps the last census."""

    active = True

    def __init__(self) -> None:
        self.censuses: list[Census] = []

    def looked(self, hub: str, census: Census) -> None:
        self.censuses.append(census)


def outbox(waiting: int, size: int) -> Any:
    return SimpleNamespace(waiting=waiting, size=size)


def test_a_census_counts_what_a_hub_holds(world: World) -> None:
    sockets: list[Any] = [world.open("1"), world.open("1"), world.open("2")]
    for socket, (waiting, size) in zip(sockets, [(0, 0), (3, 30), (5, 50)], strict=True):
        socket.outbox = outbox(waiting, size)
    hub = world.hub

    census = take_census(hub.registry, hub.threads, hub.layer)

    assert census == Census(
        sockets=3,
        users=2,
        streams=2,
        slow_sockets=2,
        frames=8,
        most_frames=5,
        characters=80,
    )


def test_a_hub_tells_what_it_holds_and_that_it_rests(world: World) -> None:
    world.hub.recorder = recorder = Looking()
    socket: Any = world.open("1")
    socket.outbox = outbox(0, 0)

    world.hub.look()
    assert [census.sockets for census in recorder.censuses] == [1]
    world.hub.leave(socket)
    assert recorder.censuses[-1] == Census()


def test_a_hub_counts_nothing_where_nobody_records(world: World) -> None:
    world.open("1")  # it has no outbox that could be looked at

    world.hub.look()
