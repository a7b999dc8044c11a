"""Visibility: who is online, and shows it. One rule for everything that depends on that."""

from __future__ import annotations

from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Substr
from django.utils import timezone

from ..models import Presence, SocketHolder, get_model
from ..models.preferences import UserPreferences, has_preferences
from ..models.presence import HOLDER_LENGTH
from ..sessions import chat_sockets
from .leases import find_limits


def hiding() -> Q:
    """Return the condition on users that their preferences hide their presence from everybody.

    Their status is offline, and nobody is told when they were last seen.
    """
    if not has_preferences():
        return Q(pk__in=())
    quiet = UserPreferences.objects.filter(user_id=OuterRef("pk"), presence=False)
    return Q(Exists(quiet))


def hidden() -> Q:
    """Return the condition on users that they look offline, wherever they are."""
    invisible = Presence.objects.filter(user_id=OuterRef("pk"), invisible_since__isnull=False)
    return Q(Exists(invisible)) | hiding()


def lapsed() -> Exists:
    """Return the condition on sessions that the lease of their socket's holder has lapsed.

    A holder without a row is one of an older version, or has just begun: then the session's own
    lease counts alone.
    """
    since, _ = find_limits(timezone.now())
    name = Substr(OuterRef("channel_name"), 1, HOLDER_LENGTH)
    return Exists(SocketHolder.objects.filter(name=name, alive_at__lt=since))


def held_sessions() -> QuerySet[Any]:
    """Return the sessions of sockets of chat whose process holds a lease now."""
    model = get_model("Session")
    _, since = find_limits(timezone.now())
    sessions = model.objects.using(router.db_for_write(model)).filter(alive_at__gte=since)
    return chat_sockets(sessions).exclude(lapsed())


def is_visibly_online(users: QuerySet[Any]) -> QuerySet[Any]:
    """Return the users among these who have an open socket of chat, and do not hide that.

    Whoever has just closed the last socket is not among them, though still shown as online for the
    time of `PRESENCE_GRACE`.

    Args:
        users: a queryset of users, which is narrowed and not evaluated here.
    """
    return users.filter(pk__in=held_sessions().values("user_id")).exclude(hidden())
