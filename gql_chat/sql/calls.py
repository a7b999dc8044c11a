"""Calls: work for a database thread, with the context it runs in, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from ..compatibility import move_locals


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
