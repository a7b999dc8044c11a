"""Pairs: the migration of one-to-one chats from a text with two users' keys to two foreign keys.

A key in a text means another user in a database where users have other keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import router
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Greatest, Least

_TYPE = "OneToOneChat"
_NAMED = 5

Move = Callable[[Any, Any], None]
"""Takes the historical apps and the schema editor, as `RunPython` calls it."""


def from_text(app_label: str, name: str) -> Move:
    """Return the step that fills `pair_first` and `pair_second` of the chats of a room model.

    It takes the two users from the memberships of a chat, and from the text only if there are not
    two of them.

    Args:
        app_label: the app of the room model.
        name: its name.

    Returns:
        The step. It raises `ValueError` if a chat has not two users, or two chats have the same.
    """

    def move(apps: Any, schema_editor: Any) -> None:
        chats = _chats(apps, schema_editor, app_label, name)
        if chats is None:
            return
        memberships = apps.get_model("gql_chat", "Membership")._base_manager.using(chats.db)
        members = memberships.filter(room_id=OuterRef("pk"))
        first, second = (
            Subquery(members.order_by(order).values("user_id")[:1]) for order in ("pk", "-pk")
        )
        chats.update(pair_first=first, pair_second=second)
        alone = chats.filter(Q(pair_first=None) | Q(pair_first=F("pair_second")))
        for chat in alone.only("pk", "pair"):
            keys = _find_users(apps, chats.db, chat.pair)
            _refuse([chat] if len(keys) < 2 else [], "have not two users")
            chats.filter(pk=chat.pk).update(pair_first=keys[0], pair_second=keys[1])
        both = chats.values(
            least=Least("pair_first", "pair_second"), most=Greatest("pair_first", "pair_second")
        )
        for pair in both.order_by().annotate(count=Count("pk")).filter(count__gt=1)[:1]:
            same = Q(pair_first=pair["least"], pair_second=pair["most"])
            same |= Q(pair_first=pair["most"], pair_second=pair["least"])
            _refuse(list(chats.filter(same)), "have the same two users")

    return move


def to_text(app_label: str, name: str) -> Move:
    """Return the step that undoes `from_text`."""

    def move(apps: Any, schema_editor: Any) -> None:
        chats = _chats(apps, schema_editor, app_label, name)
        if chats is None:
            return
        for chat in chats.only("pk", "pair_first_id", "pair_second_id"):
            keys = sorted(map(str, (chat.pair_first_id, chat.pair_second_id)))
            text = ":".join(key.replace("%", "%25").replace(":", "%3A") for key in keys)
            chats.filter(pk=chat.pk).update(pair=text)

    return move


def _chats(apps: Any, schema_editor: Any, app_label: str, name: str) -> Any:
    """Return the one-to-one chats of a room model; None if it has no table here."""
    model, using = apps.get_model(app_label, name), schema_editor.connection.alias
    if model._meta.swapped or not router.allow_migrate_model(using, model):
        return None
    return model._base_manager.using(using).filter(type=_TYPE)


def _find_users(apps: Any, using: str, pair: str) -> list[Any]:
    """Return the keys in a text that belong to existing users."""
    keys = [key.replace("%3A", ":").replace("%25", "%") for key in pair.split(":")]
    users = apps.get_model(settings.AUTH_USER_MODEL)._base_manager.using(using)
    return list(users.filter(pk__in=keys).values_list("pk", flat=True))


def _refuse(chats: list[Any], problem: str) -> None:
    """Refuse to go on with chats that break the rule: the project has to decide about them."""
    if chats:
        named = ", ".join(str(chat.pk) for chat in chats[:_NAMED])
        raise ValueError(
            f"One-to-one chats {problem}: {named}. Keep one chat for every two users: delete the "
            "others, then migrate again."
        )
