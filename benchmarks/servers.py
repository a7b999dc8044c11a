"""The targets: everything that the same load runs on, started and stopped here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks import network
from benchmarks.environments import peer_python
from benchmarks.population import Population
from benchmarks.quota import held_to
from benchmarks.sites.stores import POSTGRES_SCHEMA
from tests.servers import ROOT, ChatProcess, PostgresServer, RedisServer


class Uvicorn(ChatProcess):
    """One uvicorn process with an application and, if need be, an interpreter of its own."""

    name = "uvicorn"

    def __init__(self, application: str, environment: dict[str, str], python: str | None) -> None:
        super().__init__(environment, application)
        self._python = python or sys.executable

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        command, options = super()._command()
        return [self._python, *command[1:]], options


@dataclass
class Target:
    """A target that runs.

    Attributes:
        name: as results name it.
        urls: the sockets of its processes.
        pids: its processes, by tier: `worker`, `postgres`, `redis`, `network`.
    """

    name: str
    urls: list[str]
    pids: dict[str, list[int]] = field(default_factory=dict)

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time that each tier has used so far, in seconds."""
        return {
            tier: sum(_cpu_seconds(psutil.Process(pid)) for pid in pids)
            for tier, pids in self.pids.items()
        }

    def memory(self) -> int:
        """Return the resident memory of the workers, in bytes."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.pids["worker"])


def _cpu_seconds(process: psutil.Process) -> float:
    total = 0.0
    for member in (process, *process.children(recursive=True)):
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    # What children that have ended used is in their parent's times.
    own = process.cpu_times()
    return total + own.children_user + own.children_system


class Workshop(AbstractContextManager["Workshop"]):
    """Starts targets and what they need; everything ends with it.

    Args:
        directory: where databases are made; it exists, and belongs to the workshop.
        users: how many users each database has.
    """

    def __init__(self, directory: Path, users: int) -> None:
        self.directory = directory
        self.users = users
        self._databases: dict[str, dict[str, str]] = {}
        self._stack = ExitStack()

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def postgres(self) -> PostgresServer:
        """The PostgreSQL of the run."""
        return self._stack.enter_context(PostgresServer())

    @cached_property
    def redis(self) -> RedisServer:
        """The Redis of the run."""
        return self._stack.enter_context(RedisServer())

    # Databases

    def _prepare(self, environment: dict[str, str], python: str | None = None) -> None:
        subprocess.run(
            [python or sys.executable, "-m", "benchmarks.sites.people", str(self.users)],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=True,
        )

    def sqlite(self, name: str = "ours") -> dict[str, str]:
        """Return the environment of the package on a fresh SQLite with users."""
        template = self.directory / "template.sqlite3"
        if not template.exists():
            self._prepare(_on_sqlite(template))
        return _on_sqlite(self._copy(template, name))

    def _copy(self, template: Path, name: str) -> Path:
        path = self.directory / f"{name}.sqlite3"
        for leftover in self.directory.glob(f"{path.name}-*"):
            leftover.unlink()
        return Path(shutil.copyfile(template, path))

    def loaded_sqlite(self, name: str, population: Population) -> dict[str, str]:
        """Return the environment of the package on a fresh SQLite with a population."""
        template = self.directory / f"template-{name}.sqlite3"
        if not template.exists():
            self._load(_on_sqlite(template), population)
        return _on_sqlite(self._copy(template, name))

    def postgres_database(self, name: str) -> dict[str, str]:
        """Return the environment of the package on a PostgreSQL database with users."""
        return self._database(name, self._prepare)

    def loaded_postgres(self, name: str, population: Population) -> dict[str, str]:
        """Return the environment of the package on a PostgreSQL with a population."""
        return self._database(name, lambda environment: self._load(environment, population))

    def _database(self, name: str, fill: Callable[[dict[str, str]], None]) -> dict[str, str]:
        if name not in self._databases:
            environment = _on_postgres(self.postgres.create_database(name))
            fill(environment)
            self._databases[name] = environment
        return self._databases[name]

    @cached_property
    def floor_database(self) -> str:
        """The connection string of the database in which the floor stores messages."""
        dsn = self.postgres.create_database("floor")
        with psycopg.connect(dsn) as connection:
            connection.execute(POSTGRES_SCHEMA)
        return dsn

    def _load(self, environment: dict[str, str], population: Population) -> None:
        sizes = [
            f"--{name.replace('_', '-')}={value}" for name, value in asdict(population).items()
        ]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.load", *sizes],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=True,
        )

    # Targets

    @contextmanager
    def _processes(
        self,
        name: str,
        application: str,
        environment: dict[str, str],
        *,
        count: int = 1,
        python: str | None = None,
        tiers: dict[str, list[int]] | None = None,
        share: float | None = None,
    ) -> Iterator[Target]:
        with ExitStack() as stack:
            workers = [
                stack.enter_context(Uvicorn(application, environment, python)) for _ in range(count)
            ]
            if share is not None:
                for worker in workers:
                    stack.enter_context(held_to(share, worker.pid))
            pids = {"worker": [worker.pid for worker in workers], **(tiers or {})}
            yield Target(name, [worker.url for worker in workers], pids)

    def floor(self) -> AbstractContextManager[Target]:
        """The floor with SQLite."""
        path = self.directory / "floor.sqlite3"
        for leftover in self.directory.glob("floor.sqlite3*"):
            leftover.unlink()
        return self._processes(
            "floor", "benchmarks.sites.floor:application", {"BENCH_FLOOR_FILE": str(path)}
        )

    @contextmanager
    def postgres_floor(
        self, count: int, *, name: str, round_trip: float | None = None
    ) -> Iterator[Target]:
        """The floor on PostgreSQL and Redis, as so many processes.

        Args:
            count: how many.
            name: of the target.
            round_trip: what the network before the database adds to a round trip, in seconds; None
                for no network.
        """
        environment = {
            "BENCH_FLOOR_REDIS": self.redis.url,
            "BENCH_FLOOR_CHANNEL": f"floor-{uuid.uuid4().hex}",
        }
        tiers = {"postgres": [self.postgres.pid], "redis": [self.redis.pid]}
        with self._reached_by(self.floor_database, round_trip, tiers) as dsn:
            environment["BENCH_FLOOR_DSN"] = dsn
            application = "benchmarks.sites.floor:application"
            with self._processes(
                name, application, environment, count=count, tiers=tiers
            ) as target:
                yield target

    @contextmanager
    def _reached_by(
        self, dsn: str, round_trip: float | None, tiers: dict[str, list[int]]
    ) -> Iterator[str]:
        """Put a network before a database; give the connection string that passes it.

        Args:
            dsn: the connection string of the database.
            round_trip: what the network adds to a round trip, in seconds; None for no network.
            tiers: gets the network's process.
        """
        if round_trip is None:
            yield dsn
            return
        parts = conninfo_to_dict(dsn)
        socket = Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port') or 5432}"
        with network.network(socket, round_trip) as proxy:
            tiers["network"] = [proxy.pid]
            # Else connecting first asks for encryption, and waits for the answer.
            plain = {"sslmode": "disable", "gssencmode": "disable"}
            yield make_conninfo(dsn, host=network.HOST, port=proxy.port, **plain)

    @contextmanager
    def postgres_alone(self, round_trip: float | None, *, name: str) -> Iterator[Target]:
        """PostgreSQL and nothing else: the target's one url is a connection string.

        Args:
            round_trip: what the network before it adds to a round trip, in seconds; None for no
                network.
            name: of the target.
        """
        tiers = {"postgres": [self.postgres.pid]}
        with self._reached_by(self.floor_database, round_trip, tiers) as dsn:
            yield Target(name, [dsn], tiers)

    def tutorial(self) -> AbstractContextManager[Target]:
        """The Channels tutorial."""
        return self._processes("tutorial", "benchmarks.sites.tutorial:application", {})

    def peer(self) -> AbstractContextManager[Target]:
        """The peer package on SQLite."""
        python = str(peer_python())
        template = self.directory / "peer-template.sqlite3"
        if not template.exists():
            self._prepare(_peer_on(template), python)
        return self._processes(
            "peer",
            "benchmarks.sites.peer.asgi:application",
            _peer_on(self._copy(template, "peer")),
            python=python,
        )

    def ours(
        self, environment: dict[str, str] | None = None, *, name: str = "ours"
    ) -> AbstractContextManager[Target]:
        """The package: by default on a fresh SQLite and the in-memory layer, one process."""
        if environment is None:
            environment = self.sqlite(name)
        tiers = {}
        if environment["CHAT_TEST_DATABASE"] == "postgres":
            tiers["postgres"] = [self.postgres.pid]
        return self._processes(name, OURS, environment, tiers=tiers)

    @contextmanager
    def workers(
        self,
        count: int,
        environment: dict[str, str],
        layer: str,
        *,
        name: str,
        share: float | None = None,
        round_trip: float | None = None,
        application: str = "",
    ) -> Iterator[Target]:
        """The package on PostgreSQL and Redis, as so many processes.

        Args:
            count: how many.
            environment: that of the database.
            layer: `redis` for `RedisChannelLayer`, `pubsub` for `RedisPubSubChannelLayer`.
            name: of the target.
            share: how much of a core each may use; None for as much as it gets.
            round_trip: what the network before the database adds to a round trip, in seconds; None
                for no network.
            application: another application than that of the measured project.
        """
        redis = {"CHAT_TEST_LAYER": layer, "CHAT_TEST_REDIS": self.redis.url}
        tiers = {"postgres": [self.postgres.pid], "redis": [self.redis.pid]}
        with self._reached_by(environment["CHAT_TEST_DSN"], round_trip, tiers) as dsn:
            environment = {**environment, **redis, "CHAT_TEST_DSN": dsn}
            application = application or OURS
            with self._processes(
                name, application, environment, count=count, tiers=tiers, share=share
            ) as target:
                yield target


OURS = "benchmarks.sites.ours.asgi:application"


def _on_sqlite(path: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "benchmarks.sites.ours.settings",
        "CHAT_TEST_DATABASE": "sqlite",
        "CHAT_TEST_FILE": str(path),
        "CHAT_TEST_LAYER": "memory",
    }


def _on_postgres(dsn: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "benchmarks.sites.ours.settings",
        "CHAT_TEST_DATABASE": "postgres",
        "CHAT_TEST_DSN": dsn,
        "CHAT_TEST_LAYER": "memory",
    }


def _peer_on(path: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "benchmarks.sites.peer.settings",
        "BENCH_PEER_FILE": str(path),
    }
