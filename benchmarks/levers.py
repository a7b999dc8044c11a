"""Levers: what makes the package fast, each with a switch that is here and nowhere else.

A lever is switched off in a server of the benchmark, before its documents are prepared: what makes
the difference is replaced by the plain way of doing it. `BENCH_LEVERS_OFF` names those that a
process of the measured project (`benchmarks.sites.ours`) runs without.

`python -m benchmarks worth` measures what each of them buys (`benchmarks.worth`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pkgutil import resolve_name
from typing import Any

from graphql import DocumentNode, GraphQLSchema, execute_sync

SQLITE, POSTGRES = "sqlite", "postgres"

VARIABLE = "BENCH_LEVERS_OFF"
"""The variable of the environment that names the levers to switch off."""


@dataclass(frozen=True)
class Lever:
    """One of the things that make the package fast.

    Attributes:
        does: what it does, for the table.
        target: the dotted name of what is replaced.
        replace: takes what stands there, and returns what does the same the plain way.
        databases: where it does anything.
    """

    does: str
    target: str
    replace: Callable[[Any], Any]
    databases: tuple[str, ...] = (POSTGRES, SQLITE)


def find_target(target: str) -> tuple[Any, str]:
    """Return what has the name, and the name.

    Raises:
        ImportError, AttributeError: there is no such thing.
    """
    owner, _, name = target.rpartition(".")
    found = resolve_name(owner)
    getattr(found, name)
    return found, name


def switch_off(name: str) -> None:
    """Switch a lever off in this process.

    Raises:
        KeyError: there is no such lever.
        ImportError, AttributeError: it is not where it was.
    """
    lever = LEVERS[name]
    owner, attribute = find_target(lever.target)
    setattr(owner, attribute, lever.replace(getattr(owner, attribute)))


def switch_off_named() -> None:
    """Switch those off that the environment names."""
    for name in os.environ.get(VARIABLE, "").split():
        switch_off(name)


def without(name: str) -> dict[str, str]:
    """Return the environment of a process that runs without a lever."""
    return {VARIABLE: name}


# What stands in their places


class _Executed:
    """Executes a document by graphql-core's executor, in the place of a plan.

    Args:
        schema: the schema.
        document: the document.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._document = document

    def plan(self) -> Callable[[Any, Any], Any]:
        """Return what makes the operation's answer out of its root value."""
        return self._execute

    def plan_type(self, name: str) -> Callable[[Any, Any], Any]:
        """Return what makes the answer out of an event."""
        return lambda event, scope: self._execute(event, scope)["events"]

    def _execute(self, root: Any, scope: Any) -> Any:
        given = {name: source.value for name, source in scope.variables.sources.items()}
        result = execute_sync(self._schema, self._document, root, scope.context, given)
        if result.errors:
            error = result.errors[0]
            raise error.original_error or error
        return result.data


class _Executor:
    """Runs synchronous functions on a `ThreadPoolExecutor`, without gates and shared commits.

    Args:
        size: how many threads.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.in_order = size == 1
        self._pool: ThreadPoolExecutor | None = None

    def run(self, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Queue a call."""
        from gql_chat.sql.calls import Call  # which needs Django's settings

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.size)
        call = Call(partial(function, *args))
        return asyncio.get_running_loop().run_in_executor(self._pool, call)

    def commit(
        self, function: Callable[..., Any], *args: Any, locks: bool = True
    ) -> asyncio.Future[Any]:
        """Queue an operation."""
        return self.run(function, *args)

    def close(self) -> None:
        """Let the threads finish the queued calls and end."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)


def _make_executor(make_threads: Callable[[], Any]) -> Callable[[Any], _Executor]:
    return lambda watch: _Executor(make_threads().size)


LEVERS: dict[str, Lever] = {
    "statements": Lever(
        "the SQL of querysets is kept; without it each is compiled anew, and each is a round trip",
        "gql_chat.sql.statements.asks_only_plain",
        lambda asks: lambda query: False,
    ),
    "carriers": Lever(
        "statements whose answer nobody waits for are held back, and sent with the next one",
        "gql_chat.sql.carriers.ClientCursor",
        lambda cursor: None,
        databases=(POSTGRES,),
    ),
    "shared-commits": Lever(
        "messages that wait at the same time share a commit",
        "gql_chat.streams.workers.TOGETHER",
        lambda together: 1,
        databases=(SQLITE,),
    ),
    "plans": Lever(
        "documents are executed by plans; without them by graphql-core's executor",
        "gql_chat.schema.documents.Planner",
        lambda planner: _Executed,
    ),
    "threads": Lever(
        "database threads of our own, with gates or shared commits; without them one "
        "`ThreadPoolExecutor`",
        "event_bridge.hub.hub.make_threads",
        _make_executor,
    ),
}
"""Every lever by its name."""
