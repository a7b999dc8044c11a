"""Deletions: the rows that one call of Django's `delete` takes, so that each is announced once.

Django sends `pre_delete` for every row that it will delete, and only then deletes and sends
`post_delete`. All these signals carry the same `origin`: the instance or the queryset whose
`delete` was called. The `Deletion` is an attribute of that origin, and goes with it.
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
        is_told: whether an operation makes the events of it, so that the signals make none.
        users: the ids of the accounts that it deletes.
        names: the names of the accounts, by id.
        told: the streams that tell of the accounts, besides those of the locked rooms.
        left_by: by account, the ids of the rooms that the user created and is not in.
        rooms: the ids of the rooms that it deletes.
        locked: the ids of the rooms that were locked for it.
        leading: by room, the users who lead it, with their roles.
        memberships: the memberships that it deletes, by key, until an event announces them.
        messages: the messages that it deletes, likewise: the room's id by the message's.
        erasures: what takes them out of the event log, once their rows are gone.
    """

    is_told: bool = False
    users: set[Any] = field(default_factory=set)
    names: dict[Any, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    left_by: dict[Any, set[Any]] = field(default_factory=dict)
    rooms: set[Any] = field(default_factory=set)
    locked: set[Any] = field(default_factory=set)
    leading: dict[Any, dict[Any, str]] = field(default_factory=dict)
    memberships: dict[Any, Any] = field(default_factory=dict)
    messages: dict[Any, Any] = field(default_factory=dict)
    erasures: list[Any] = field(default_factory=list)

    def take_memberships(self) -> list[Any]:
        """Return the memberships that no event has announced, and forget them."""
        taken = list(self.memberships.values())
        self.memberships.clear()
        return taken

    def take_messages(self) -> dict[Any, Any]:
        """Return the messages that no event has announced, and forget them."""
        taken = dict(self.messages)
        self.messages.clear()
        return taken

    def take_erasures(self) -> list[Any]:
        """Return what takes the messages out of the log, and forget it."""
        taken = list(self.erasures)
        self.erasures.clear()
        return taken

    def end(self) -> None:
        """Do nothing. As an `on_commit` hook, this shows whether the transaction still runs."""


def deletion_of(origin: Any, using: str) -> Deletion:
    """Return the deletion that a signal belongs to.

    The same instance or queryset may delete once more after the transaction was rolled back or is
    over. That is another deletion: its rooms are not locked any more.

    Args:
        origin: the `origin` of the signal; None if code uses Django's `Collector` by itself. Each
            row is then a deletion of its own.
        using: the `using` of the signal, an alias of a database.
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
    """Note that an operation is about to delete these rows, and makes the events of it itself."""
    deletion_of(rows, rows.db).is_told = True
