"""What one deletion of Django's takes with it, so that it is told of once.

A deletion sends `pre_delete` for every row that it will take, and only then deletes and sends
`post_delete`. All of these carry the same `origin`: the instance or the queryset that somebody
called `delete` on. What is known of the deletion is kept there, and goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_ATTRIBUTE = "_gql_chat_deletion"


@dataclass(slots=True)
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
        self.leading.clear()
        self.locked.clear()  # the same queryset may delete once more, in another transaction
        return taken

    def take_messages(self) -> dict[Any, Any]:
        """Return the messages that nobody has told of, once."""
        taken = dict(self.messages)
        self.messages.clear()
        self.locked.clear()
        return taken


def deletion_of(origin: Any) -> Deletion:
    """Return what is known of a deletion.

    Args:
        origin: what its signals name; None where the deletion was begun by hand, so that each row
            is one of its own.
    """
    if origin is None:
        return Deletion()
    known: Deletion | None = vars(origin).get(_ATTRIBUTE)
    if known is None:
        known = Deletion()
        setattr(origin, _ATTRIBUTE, known)
    return known


def told_by_operation(origin: Any) -> None:
    """Say that an operation is about to delete something, and tells of it by itself."""
    deletion_of(origin).is_told = True
