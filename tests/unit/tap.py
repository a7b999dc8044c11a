"""A tap on the wire between this process and PostgreSQL."""

import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, connections


class Tap:
    """Passes on what a client and PostgreSQL say to each other, and counts their turns.

    Attributes:
        round_trips: how often the client has spoken, and PostgreSQL answered.
    """

    def __init__(self, address: Any) -> None:
        self._server = address
        self._directory = tempfile.TemporaryDirectory(prefix="tap-")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(Path(self.host) / ".s.PGSQL.5432"))
        self._socket.listen()
        self._last: socket.socket | None = None
        self.round_trips = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def host(self) -> str:
        """Where a client of PostgreSQL finds it."""
        return self._directory.name

    def close(self) -> None:
        """Let nobody come any more."""
        self._socket.close()
        self._directory.cleanup()

    def _serve(self) -> None:
        client, _ = self._socket.accept()
        family = socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET
        with client, socket.socket(family) as server, selectors.DefaultSelector() as selector:
            server.connect(self._server)
            others = {client: server, server: client}
            for each in others:
                selector.register(each, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                # What the client has sent was sent before it could see what is on its way to it.
                for each in sorted(ready, key=lambda found: found is not client):
                    assert isinstance(each, socket.socket)
                    data = each.recv(65536)
                    if not data:
                        return
                    if each is server and self._last is client:
                        self.round_trips += 1
                    self._last = each
                    others[each].sendall(data)


@contextmanager
def tapped() -> Iterator[Tap]:
    """Give this thread a connection to the test database of its own, and tap it."""
    outer = connections["default"]
    outer.ensure_connection()
    info = outer.connection.info
    path = os.path.join(info.host, f".s.PGSQL.{info.port}")
    tap = Tap(path if info.host.startswith("/") else (info.host, info.port))
    inner = connections.create_connection("default")
    inner.settings_dict = {**outer.settings_dict, "HOST": tap.host, "PORT": "5432"}
    connections["default"] = inner
    try:
        connection.ensure_connection()
        yield tap
    finally:
        inner.close()
        connections["default"] = outer
        tap.close()
