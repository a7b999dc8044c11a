"""A network between a worker and its database: a proxy that delays what passes.

`python -m benchmarks.network PATH SECONDS` listens on a free port of this machine, prints it, and
forwards every connection to the Unix socket PATH. What passes in either direction arrives half of
SECONDS later, so a round trip takes SECONDS longer. It ends with its standard input.

It is one thread around `select`, whose timeouts are microseconds: an event loop's are rounded to
whole milliseconds. Chunks that follow each other are on their way at the same time.
"""

from __future__ import annotations

import ctypes
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any

HOST = "127.0.0.1"

#: What a round trip to a database in the next rack costs more than one on the same machine.
ROUND_TRIP = 0.0005

#: Read at once at most, in bytes.
CHUNK = 1 << 18

_PR_SET_TIMERSLACK = 29


class Proxy:
    """Forwards connections to a Unix socket.

    Args:
        path: the Unix socket.
        delay: seconds that everything takes in each direction.
    """

    def __init__(self, path: str, delay: float) -> None:
        self._path = path
        self._delay = delay
        # By how much timeouts last longer than they are asked to: so much earlier each is asked to
        # end. It follows what is seen, since a busy machine is later than an idle one.
        self._early = 0.0
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._other: dict[socket.socket, socket.socket] = {}
        self._on_the_way: deque[tuple[float, socket.socket, bytes]] = deque()

    def run(self, end: int) -> None:
        """Forward until the file descriptor `end` can be read."""
        waiting, now = self._on_the_way, time.monotonic
        while True:
            while waiting and waiting[0][0] <= now():
                due, target, data = waiting.popleft()
                late = now() - due - self._early
                self._early = min(max(self._early + late / 20, 0.0), self._delay)
                self._send(target, data)
            pause = max(waiting[0][0] - now(), 0) if waiting else None
            sources: list[Any] = [end, self._listener, *self._other]
            found, _, _ = select(sources, [], [], pause)
            for one in found:
                if one == end:
                    return
                if one is self._listener:
                    self._accept()
                elif one in self._other:
                    self._receive(one)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._path)
        self._other[client], self._other[server] = server, client

    def _receive(self, one: socket.socket) -> None:
        data = b""
        with suppress(ConnectionError):
            data = one.recv(CHUNK)
        due = time.monotonic() + self._delay - self._early
        self._on_the_way.append((due, self._other[one], data))
        if not data:
            # Its other end is closed when that has arrived.
            del self._other[one]

    def _send(self, target: socket.socket, data: bytes) -> None:
        """Hand on what has arrived; nothing is the end of a connection."""
        with suppress(OSError):
            if data:
                target.sendall(data)
                return
            # It is closed as soon as nobody refers to it: when the other direction has ended too.
            target.shutdown(socket.SHUT_WR)


@dataclass(frozen=True)
class Network:
    """A proxy that runs.

    Attributes:
        port: where it listens.
        pid: its process.
    """

    port: int
    pid: int


@contextmanager
def network(path: Path, round_trip: float) -> Iterator[Network]:
    """Run a proxy in a process of its own.

    Args:
        path: the Unix socket that it forwards to.
        round_trip: seconds that a round trip takes longer through it.
    """
    command = [sys.executable, "-m", "benchmarks.network", str(path), str(round_trip)]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Network(int(process.stdout.readline()), process.pid)
        finally:
            process.stdin.close()


def main(path: str, round_trip: str) -> None:
    """Forward until the standard input ends."""
    if sys.platform == "linux":
        # Else the kernel may let every timeout take 50 µs more.
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    proxy = Proxy(path, float(round_trip) / 2)
    sys.stdout.write(f"{proxy.port}\n")
    sys.stdout.flush()
    proxy.run(sys.stdin.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])
