"""Calls: work for a database thread with the context it runs in, and its outcome."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from ..compatibility import move_locals


@dataclass(slots=True, frozen=True)
class Call:
    """An operation that a thread is to run.

    Attributes:
        function: the operation.
        context: the context variables it runs with. Its `on_commit` hooks run with them, too. No
            other call sees the variables that it sets.
    """

    function: Callable[[], Any] = field(repr=False)
    context: Context = field(default_factory=copy_context)

    def __call__(self) -> Any:
        """Make the call in its context."""
        return self.context.run(self._run)

    def _run(self) -> Any:
        move_locals(self.context)
        return self.function()


@dataclass(slots=True, frozen=True)
class Outcome:
    """The result or the error of an operation.

    Attributes:
        result: the value that it returned.
        error: the error that it raised, or that kept it from being run or committed.
    """

    result: Any = field(default=None, repr=False)
    error: BaseException | None = field(default=None, repr=False)


def attempt(call: Callable[[], Any]) -> Outcome:
    """Make a call and return its outcome."""
    try:
        return Outcome(result=call())
    except BaseException as error:
        return Outcome(error=error)
