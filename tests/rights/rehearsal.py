"""Rehearsals: an operation checks and writes all that it would, and is then rolled back.

So every cell of the table begins with the same rows, and what the hub knows stays true, however
many events were allowed before it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from gql_chat import streams
from gql_chat.errors import ChatError
from gql_chat.operations import EventHandler, SessionOperations

#: What an operation is answered with that would have been done.
DONE = 2000


def everybody(user: Any) -> bool:
    """Let all users use the GraphQL endpoint (`GRAPHQL_ACCESS`)."""
    return True


def done(*, told: bool) -> ChatError:
    """The answer instead of a commit: no class of its own, of which the exports would tell."""
    answer = ChatError({"told": told})
    answer.code = DONE  # type: ignore[misc]
    return answer


class Rehearsal(EventHandler):
    """The operations, each of which ends with `done` and a rollback (`EVENT_HANDLER_CLASS`)."""


def _rehearsed(operation: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(operation)
    def perform(self: Rehearsal, *args: Any, **kwargs: Any) -> Any:
        def attempt() -> None:
            with streams.transaction() as outbox:
                operation(self, *args, **kwargs)
                outbox.carrier.flush()
                raise done(told=bool(outbox.close()))

        streams.run(attempt)

    return perform


def _writes(name: str, method: Any) -> bool:
    """Whether a method writes or tells somebody something; `operation` wraps those that write."""
    is_operation = hasattr(method, "__wrapped__") and not hasattr(SessionOperations, name)
    return is_operation or name == "type_in"


for _name in dir(EventHandler):
    _method = getattr(EventHandler, _name)
    if not _name.startswith("_") and _writes(_name, _method):
        setattr(Rehearsal, _name, _rehearsed(_method))
