"""Users in the schema, as members of their rooms see them."""

from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

from ..conf import chat_settings
from ..models import AbstractMessage, AbstractRoom, Membership
from ..models.accounts import OF_USERS, nobody
from ..models.cuts import shown_members
from ..models.relations import members_of
from ..prepared.fields import derived
from .descriptions import TEXT
from .references import UserRef
from .scalars import UserID


def username(root: Any) -> str:
    """Return the name by which a user is known: the resolver of `username`."""
    name: str = root.get_username()
    return name


def _email(root: Any) -> str:
    return getattr(root, root.get_email_field_name(), None) or ""


def _text(name: str) -> Any:
    """Return a field for an attribute that a project's user model may not have."""
    return derived(lambda root: getattr(root, name, None) or "", TEXT, metadata={OF_USERS: name})


def is_shown(field: StrawberryField) -> bool:
    """Tell whether the settings show a field. All are shown but those of users that they leave out.

    Raises:
        ImproperlyConfigured: `USER_FIELDS` is wrong.
    """
    name = field.metadata.get(OF_USERS)
    return name is None or chat_settings.shows_of_users(name)


@strawberry.type
class User:
    """A user, as members of their rooms see them.

    `username` is what the user model's `USERNAME_FIELD` holds. A text that the model does not
    have is empty, so frames have one shape whatever the model.

    Attributes:
        reads: the columns that fields of the type read besides those of the same name. A type of a
            project's that names none reads all (`models.accounts.hidden_columns`).
    """

    reads = ()

    id: UserID = derived(lambda root: root.pk)
    username: str = derived(username, TEXT)
    email: str = derived(_email, TEXT, metadata={OF_USERS: "email"})
    first_name: str = _text("first_name")
    last_name: str = _text("last_name")


def sender(root: AbstractMessage) -> UserRef:
    """Return who wrote a message: the resolver of its `sender`. Nobody, if that user was erased."""
    return nobody() if root.sender is None else root.sender  # type: ignore[return-value]


def _users(memberships: list[Membership]) -> list[UserRef]:
    return [membership.user for membership in memberships]  # type: ignore[misc]


def members(root: AbstractRoom) -> list[UserRef]:
    """Return the members of a room: the resolver of its `participants` or `subscribers`."""
    return _users(shown_members(members_of(root)))


def leaders(root: AbstractRoom) -> list[UserRef]:
    """Return those who lead a room: the resolver of its `admins` or `moderators`."""
    role = root.rules.leader_role
    shown = shown_members(members_of(root))
    return _users([membership for membership in shown if membership.role == role])


def count_members(root: AbstractRoom) -> int:
    """Return how many members a room has: the resolver of its `member_count`."""
    return len(members_of(root)) + root.more_members
