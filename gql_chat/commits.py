"""Commits that several operations share.

A commit costs SQLite about as much as what a message writes. Operations that wait for the one
writer at the same time become savepoints of one transaction: each is still all or nothing by
itself, none is answered before the commit, and its frames leave after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from . import streams
from .compatibility import move_locals


@dataclass(slots=True, frozen=True)
class Call:
    """An operation with all that it takes.

    Attributes:
        function: the operation.
        context: what it runs in, and what it left to be done after the commit: what it sets there
            nobody else sees.
    """

    function: Callable[[], Any]
    context: Context = field(default_factory=copy_context)

    def __call__(self) -> Any:
        """Make the call in its context."""
        return self.context.run(self._run)

    def _run(self) -> Any:
        move_locals(self.context)
        return self.function()


@dataclass(slots=True, frozen=True)
class Outcome:
    """What became of an operation.

    Attributes:
        result: what it returned.
        error: what it raised, or what it did not come to because of.
    """

    result: Any = None
    error: BaseException | None = None


def attempt(call: Callable[[], Any]) -> Outcome:
    """Make a call and return what became of it."""
    try:
        return Outcome(result=call())
    except BaseException as error:
        return Outcome(error=error)


def commit_together(calls: Sequence[Call]) -> list[Outcome]:
    """Make the calls, one after the other, in one transaction, and commit it.

    One that raises undoes what it wrote and nothing else. Where the transaction itself fails,
    nothing of any call is stored, and its error is what became of each.

    Args:
        calls: operations, each in a `streams.transaction` of its own.

    Returns:
        What became of each, in their order.
    """
    outcomes: list[Outcome] = []
    follow_ups: list[Any] = []
    try:
        with streams.shared_transaction() as connection:
            for call in calls:
                outcome = attempt(call)
                if connection.needs_rollback:
                    raise outcome.error or RuntimeError("The transaction was broken off.")
                outcomes.append(outcome)
                follow_ups.append(connection.run_on_commit)
                connection.run_on_commit = []
    except BaseException as error:
        return [Outcome(error=error)] * len(calls)
    return [
        _follow_up(connection, call.context, outcome, hooks)
        for call, outcome, hooks in zip(calls, outcomes, follow_ups, strict=True)
    ]


def _follow_up(connection: Any, context: Context, outcome: Outcome, hooks: Any) -> Outcome:
    """Run what one operation left to be done after the commit.

    Each hook may fail by itself (`streams.transaction`); what else is raised here, as when a thread
    is told to end, is the outcome.
    """
    connection.run_on_commit = hooks
    followed = attempt(Call(connection.run_and_clear_commit_hooks, context))
    return outcome if followed.error is None else followed
