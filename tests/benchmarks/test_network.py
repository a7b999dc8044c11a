"""The network between a worker and its database: a proxy that hands on what it gets."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import network
from tests.timing import PATIENCE


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Path]:
    """A Unix socket that sends back what it gets, until the other side has said all."""
    path = tmp_path / "echo"

    def serve() -> None:
        for _ in range(2):
            one, _ = listener.accept()
            with one:
                while data := one.recv(1 << 16):
                    one.sendall(data)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        thread.join(PATIENCE)


@pytest.mark.parametrize("round_trip", [0, network.ROUND_TRIP])
def test_a_proxy_hands_on_everything_in_order_and_the_end(echo: Path, round_trip: float) -> None:
    said = bytes(range(256)) * 100
    with network.network(echo, round_trip) as proxy:
        address = network.HOST, proxy.port
        with (
            socket.create_connection(address, PATIENCE) as one,
            socket.create_connection(address, PATIENCE) as other,
        ):
            for number in range(256):
                # So no two answers are alike, and none is longer than what the kernel keeps.
                one.sendall(said[number : number + 100])
            one.shutdown(socket.SHUT_WR)
            heard = b"".join(iter(lambda: one.recv(1 << 16), b""))
            other.sendall(said)
            other.shutdown(socket.SHUT_WR)
            heard_by_other = b"".join(iter(lambda: other.recv(1 << 16), b""))

    assert heard == b"".join(said[number : number + 100] for number in range(256))
    assert heard_by_other == said
