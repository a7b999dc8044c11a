"""Contacts: the users whom an event names, and whether the acting user may deal with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import Exists, OuterRef, Q, QuerySet
from guardian.conf import settings as guardian_settings

from ..compatibility import check_range
from ..conf import chat_settings
from ..errors import Invalid, NotFound, PermissionDenied, quote
from ..models import Membership
from ..models.accounts import active, as_shown
from ..permissions import PermissionHandler

if TYPE_CHECKING:
    from .base import Operations


class Contacts:
    """Finds users for the one who acts, in one query however many are named.

    With `HIDE_FORBIDDEN` users whom the acting user may not contact are not found, as unknown ones
    are not: by the same statements, with the same error. Members of the room that an event is about
    are found all the same, if the acting user is one: a room's members see each other.

    Args:
        operations: whoever acts.
        room_id: the room that the event is about; None for none.
    """

    def __init__(self, operations: Operations, room_id: Any = None) -> None:
        self._operations = operations
        self._room_id = room_id

    @property
    def _is_limited(self) -> bool:
        """Whether there may be users whom the acting user may not contact."""
        handler = type(self._operations.permissions)
        by_default = handler.can_contact is PermissionHandler.can_contact
        return not self._operations.as_system and not by_default

    def find(
        self, field: str, user_ids: Iterable[Any], *, contact: bool, inactive: bool
    ) -> dict[Any, Any]:
        """Return users by primary key, in the order in which they were named.

        Args:
            field: the input's field, for errors.
            user_ids: primary keys, as numbers or strings.
            contact: whether the acting user has to be allowed to contact them.
            inactive: whether deactivated accounts are found: of the members of the room where there
                is one, else all.

        Raises:
            Invalid: one of them cannot be the primary key of a user.
            NotFound: one of them belongs to nobody who is to be found.
        """
        wanted = read_keys(field, user_ids)
        users = _named(wanted)
        if not inactive:
            users = users.filter(**active())
        elif self._room_id is not None:
            users = users.filter(Q(**active()) | self._is_member())
        asks = contact or self._room_id is not None
        if asks and chat_settings.HIDE_FORBIDDEN and self._is_limited:
            users = users.filter(self._may_contact(users) | self._is_member())
        found = {user.pk: user for user in as_shown(users)}
        # A user model may have no column that says who is active.
        if len(found) < len(wanted) or not (inactive or all(map(_is_active, found.values()))):
            raise NotFound("There is no such user.")
        return {user_id: found[user_id] for user_id in wanted}

    def check(self, users: Mapping[Any, Any]) -> None:
        """Refuse users whom the acting user may not contact, and who are not in the room.

        Where forbidden users are hidden, `find` has not found them.

        Args:
            users: what `find` found, by primary key.

        Raises:
            PermissionDenied: there is one among them.
        """
        if chat_settings.HIDE_FORBIDDEN or not users or not self._is_limited:
            return
        named = _named(users)
        if named.exclude(self._may_contact(named) | self._is_member()).exists():
            raise PermissionDenied("You may not write to this user, or add them to a room.")

    def _may_contact(self, users: QuerySet[Any]) -> Q:
        user = self._operations.user
        allowed = self._operations.permissions.can_contact(user, users)
        return Q(pk=user.pk) | Q(pk__in=allowed.values("pk"))

    def _is_member(self) -> Q:
        """Return the condition on users that they are in the room, together with who acts."""
        if self._room_id is None:
            return Q(pk__in=())
        members = Membership.objects.filter(room_id=self._room_id, user_id=OuterRef("pk"))
        if not self._operations.as_system:
            members = members.filter(room__memberships__user_id=self._operations.user_id)
        return Q(Exists(members))


def read_keys(field: str, user_ids: Iterable[Any]) -> list[Any]:
    """Return primary keys of users as the database has them, each once.

    Args:
        field: the input's field, for errors.
        user_ids: the keys, as numbers or strings.

    Raises:
        Invalid: one of them cannot be the primary key of a user.
        NotFound: no database could hold one of them.
    """
    key: Any = get_user_model()._meta.pk
    wanted: dict[Any, None] = {}
    is_storable = True
    for user_id in user_ids:
        try:
            value = key.to_python(user_id)
        except ValidationError:
            raise Invalid({field: f"{quote(user_id)} is not a user id."}) from None
        try:
            key.run_validators(value)
            check_range(key, value)
        except ValidationError:
            is_storable = False  # nobody has it; but first, whether all of them are ids
        wanted[value] = None
    if not is_storable:
        raise NotFound("There is no such user.")
    return list(wanted)


def _named(keys: Iterable[Any]) -> QuerySet[Any]:
    """Return the queryset of users with these keys, in the primary database."""
    model: Any = get_user_model()
    # guardian's stand-in for anonymous visitors is a row like others, but nobody.
    nobody = {model.USERNAME_FIELD: guardian_settings.ANONYMOUS_USER_NAME}
    users: QuerySet[Any] = model._default_manager.using(router.db_for_write(model))
    return users.exclude(**nobody).filter(pk__in=list(keys))


def _is_active(user: Any) -> bool:
    return bool(user.is_active)
