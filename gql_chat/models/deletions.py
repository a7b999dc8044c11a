"""What one deletion of Django's takes with it, so that it is told of once.

A deletion sends `pre_delete` for every row that it will take, and only then deletes and sends
`post_delete`. All of these carry the same `origin`: the instance or the queryset that somebody
called `delete` on. What is known of the deletion is kept there, and goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connections, transaction

if TYPE_CHECKING:
    from django.db.models import QuerySet

_ATTRIBUTE = "_gql_chat_deletion"


@dataclass(slots=True, eq=False)
class Deletion:
    """One deletion.

    Attributes:
        is_told: whether an operation tells of it, and nobody else has to.
        users: the ids of accounts that go.
        rooms: the ids of rooms that go.
        locked: the ids of rooms that were locked for it.
        leading: by room, the users who lead it, with their roles.
        memberships: the memberships that go, by key, until somebody has told of them.
        messages: the messages that go, likewise: the room's id by the message's.
    """

    is_told: bool = False
    users: set[Any] = field(default_factory=set)
    rooms: set[Any] = field(default_factory=set)
    locked: set[Any] = field(default_factory=set)
    leading: dict[Any, dict[Any, str]] = field(default_factory=dict)
    memberships: dict[Any, Any] = field(default_factory=dict)
    messages: dict[Any, Any] = field(default_factory=dict)

    def take_memberships(self) -> list[Any]:
        """Return the memberships that nobody has told of, once."""
        taken = list(self.memberships.values())
        self.memberships.clear()
        return taken

    def take_messages(self) -> dict[Any, Any]:
        """Return the messages that nobody has told of, once."""
        taken = dict(self.messages)
        self.messages.clear()
        return taken

    def end(self) -> None:
        """Do nothing: a hook of `on_commit`, which is there until the transaction is over."""


def deletion_of(origin: Any, using: str) -> Deletion:
    """Return what is known of a deletion.

    The same instance or queryset may delete once more, where the transaction was rolled back or is
    over. That is another deletion: what was locked is locked no more.

    Args:
        origin: what its signals name; None where the deletion was begun by hand, so that each row
            is one of its own.
        using: the database, likewise.
    """
    if origin is None:
        return Deletion()
    connection = connections[using]
    known: Deletion | None = vars(origin).get(_ATTRIBUTE)
    if known is None or all(entry[1] != known.end for entry in connection.run_on_commit):
        known = Deletion()
        setattr(origin, _ATTRIBUTE, known)
        transaction.on_commit(known.end, using=using)
    return known


def told_by_operation(rows: QuerySet[Any]) -> None:
    """Say that an operation is about to delete these rows, and tells of it by itself."""
    deletion_of(rows, rows.db).is_told = True
