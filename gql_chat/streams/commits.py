"""Commits that several operations share.

A commit costs SQLite about as much as the writes of one message. Operations that wait for the one
writer at the same time become savepoints of one transaction. Each is still all or nothing by
itself. None is answered before the commit, and its frames leave after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context
from typing import Any

from ..sql.calls import Call, Outcome, attempt
from .transactions import shared_transaction


def commit_together(calls: Sequence[Call]) -> list[Outcome]:
    """Make the calls, one after the other, in one transaction, and commit it.

    A call that raises undoes its own writes and nothing else. If the transaction itself fails,
    nothing is stored of any call, and every outcome is that error.

    Args:
        calls: operations, each in a `streams.transaction` of its own.

    Returns:
        The outcome of each call, in their order.
    """
    outcomes: list[Outcome] = []
    follow_ups: list[Any] = []
    try:
        with shared_transaction() as connection:
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
    """Run the `on_commit` hooks of one operation, and return its outcome.

    A hook that fails is logged, and no more (`streams.transaction`). Any other error, as when a
    thread is told to end, becomes the outcome.
    """
    connection.run_on_commit = hooks
    followed = attempt(Call(connection.run_and_clear_commit_hooks, context))
    return outcome if followed.error is None else followed
