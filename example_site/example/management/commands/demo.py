"""Start the demo with one command: database, users and rooms, server."""

import errno
import os
import socket
from typing import Any

import uvicorn
from django.core.management import call_command
from django.core.management.base import BaseCommand

from example.asgi import application
from example.demo_users import DEMO_USERS, PASSWORD

# This machine alone: the passwords are public.
HOST = "127.0.0.1"
DEFAULT_PORT = 8000
# A little more than chat's own MAX_FRAME_BYTES, so that chat says what is too large.
MAX_FRAME_BYTES = 1_114_112
# Seconds an open socket gets to say goodbye after Ctrl-C.
SHUTDOWN_SECONDS = 3


class Command(BaseCommand):
    """Prepares the database and serves the example until Ctrl-C."""

    help = "Prepares the database and serves the example; PORT in the environment sets the port."

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the port first, so that nothing is prepared for a server that cannot start."""
        try:
            with _listen(_port(os.environ.get("PORT", ""))) as listener:
                self._serve(listener)
        except KeyboardInterrupt:
            pass  # uvicorn raises it again once it has shut down.
        self.stdout.write("\nThe demo has stopped.")

    def _serve(self, listener: socket.socket) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self.stdout.write("The database is ready.")
        call_command("seed", stdout=self.stdout)

        port = listener.getsockname()[1]
        self.stdout.write(f"\nOpen http://{HOST}:{port}/ and log in as")
        for user in DEMO_USERS:
            note = f"   also for http://{HOST}:{port}/admin/" if user.is_staff else ""
            self.stdout.write(f"    {user.username:<6} password: {PASSWORD}{note}")
        self.stdout.write(
            f"For a second user at the same time: http://localhost:{port}/ (its login is separate)."
        )
        self.stdout.write(f"Metrics and health: http://{HOST}:{port}/monitoring/metrics and")
        self.stdout.write(f"    http://{HOST}:{port}/monitoring/health/ready (this machine alone)")
        self.stdout.write("Ctrl-C stops it.\n")
        self.stdout.flush()

        config = uvicorn.Config(
            application,
            log_level="warning",
            # Channels' router has no route for it.
            lifespan="off",
            # A small compressed frame could become large.
            ws_per_message_deflate=False,
            ws_max_size=MAX_FRAME_BYTES,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


# SystemExit prints its text to stderr as it is and makes the exit code 1.


def _port(value: str) -> int:
    """Return the port that PORT asks for, where 0 means any free one."""
    if not value:
        return DEFAULT_PORT
    digits = value.isascii() and value.isdecimal() and len(value) <= 5
    if not digits or int(value) > 65535:
        raise SystemExit(f"PORT must be a number from 0 to 65535, not {value!r}.")
    return int(value)


def _listen(port: int) -> socket.socket:
    """Return a listening socket; from here on nobody can take the port away.

    Whoever connects before the server runs is kept in the backlog.
    """
    try:
        return socket.create_server((HOST, port), backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "is already taken"
        else:
            reason = f"cannot be opened ({error.strerror})"
        raise SystemExit(
            f"Port {port} {reason}: choose another one, for instance with PORT=8765 make demo."
        ) from None
