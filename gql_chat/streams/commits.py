"""Commits that several operations share.

A commit costs SQLite about as much as what a message writes. Operations that wait for the one
writer at the same time become savepoints of one transaction: each is still all or nothing by
itself, none is answered before the commit, and its frames leave after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context
from typing import Any

from ..sql.calls import Call, Outcome, attempt
from .transactions import shared_transaction


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
    """Run what one operation left to be done after the commit.

    Each hook may fail by itself (`streams.transaction`); what else is raised here, as when a thread
    is told to end, is the outcome.
    """
    connection.run_on_commit = hooks
    followed = attempt(Call(connection.run_and_clear_commit_hooks, context))
    return outcome if followed.error is None else followed
