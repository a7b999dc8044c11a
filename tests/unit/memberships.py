"""Ways of code to change a membership, and what a user is and may do in a room."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from guardian.models import UserObjectPermission

from gql_chat.models import (
    Membership,
    Room,
)
from gql_chat.models.rules import Role

Way = Callable[[Any, Any], Any]


def held(room: Room, user: Any) -> set[str]:
    """What the user may do in the room, as the database has it."""
    rows = UserObjectPermission.objects.filter(object_pk=str(room.pk), user=user)
    return set(rows.values_list("permission__codename", flat=True))


def accessor(room: Any, which: str) -> Any:
    """The accessor of a role of the room: `members`, `leaders` and so on."""
    return getattr(room, getattr(room.rules, which))


def save_role(room: Any, user: Any, role: str) -> None:
    """Give a member a role as plain code does."""
    membership = room.get_member(user)
    membership.role = role
    membership.save()


PROMOTIONS: dict[str, Way] = {
    "accessor": lambda room, user: accessor(room, "leaders").add(user),
    "save": lambda room, user: save_role(room, user, room.rules.leader_role),
    "manager": lambda room, user: Membership.objects.set_role(
        room, [user.pk], room.rules.leader_role
    ),
    "update_or_create": lambda room, user: Membership.objects.update_or_create(
        room=room, user=user, defaults={"role": room.rules.leader_role}
    ),
}
DEMOTIONS: dict[str, Way] = {
    "accessor": lambda room, user: accessor(room, "leaders").remove(user),
    "save": lambda room, user: save_role(room, user, Role.MEMBER),
    "manager": lambda room, user: Membership.objects.set_role(room, [user.pk], Role.MEMBER),
}
REMOVALS: dict[str, Way] = {
    "accessor": lambda room, user: accessor(room, "members").remove(user),
    "delete": lambda room, user: room.get_member(user).delete(),
    "queryset": lambda room, user: Membership.objects.filter(room=room, user=user).delete(),
    "account": lambda room, user: user.delete(),
    "accounts": lambda room, user: get_user_model().objects.filter(pk=user.pk).delete(),
}


def ways(table: dict[str, Way]) -> Any:
    """Run a test once for each of these ways."""
    return pytest.mark.parametrize("way", table.values(), ids=table)


rooms = pytest.mark.parametrize("kind", ["group", "channel"])
