"""Users in the schema, as members of their rooms see them."""

from typing import Any

import strawberry

from ..models import AbstractRoom, Membership
from ..models.relations import members_of
from ..prepared.fields import derived
from .descriptions import TEXT
from .references import UserRef
from .scalars import UserID


def _username(root: Any) -> str:
    name: str = root.get_username()
    return name


def _email(root: Any) -> str:
    return getattr(root, root.get_email_field_name(), None) or ""


def _text(name: str) -> Any:
    """Return a field for an attribute that a project's user model may not have."""
    return derived(lambda root: getattr(root, name, None) or "", TEXT)


@strawberry.type
class User:
    """A user, as members of their rooms see them.

    `username` is what the user model's `USERNAME_FIELD` holds. A text that the model does not
    have is empty, so frames have one shape whatever the model.
    """

    id: UserID = derived(lambda root: root.pk)
    username: str = derived(_username, TEXT)
    email: str = derived(_email, TEXT)
    first_name: str = _text("first_name")
    last_name: str = _text("last_name")


def _users(memberships: list[Membership]) -> list[UserRef]:
    return [membership.user for membership in memberships]  # type: ignore[misc]


def members(root: AbstractRoom) -> list[UserRef]:
    """Return the members of a room: the resolver of its `participants` or `subscribers`."""
    return _users(members_of(root))


def leaders(root: AbstractRoom) -> list[UserRef]:
    """Return those who lead a room: the resolver of its `admins` or `moderators`."""
    role = root.rules.leader_role
    return _users([membership for membership in members_of(root) if membership.role == role])
