"""Audiences: who is notified of a message, and for what reason.

A message waits for every member who was in the room, but its sender. The audience is who of them is
told: the preferences of each say so, and whether the message mentions them. It is worked out when
somebody asks, so a mute holds for what waits already, and what came meanwhile waits when it ends.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from django.utils import timezone

from .mentions import Mention, has_mentions, mentioning
from .preferences import Notify, RoomPreferences, UserPreferences, has_preferences

MENTION, REPLY, MESSAGE, REACTION = REASONS = ("mention", "reply", "message", "reaction")
"""Why a user is notified; of several reasons the strongest one, which is the first here."""

REASON = "chat_reason"
"""The attribute of recipients that says why each of them is notified."""


def narrow(users: models.QuerySet[Any], notification: Any) -> models.QuerySet[Any]:
    """Return those of the users whom a notification waits for whose preferences let it through.

    Args:
        users: the users.
        notification: the notification: of a message, or of a reaction to one.

    Returns:
        The users; with the feature `mentions`, each has its reason as `chat_reason`.
    """
    is_reaction = notification.recipient_id is not None
    message_id = notification.message_id
    named: Any = None
    called: Any = None
    if has_mentions() and not is_reaction:
        rows = Mention.objects.filter(message_id=message_id)
        own = rows.filter(user_id=OuterRef("pk"))
        named = Q(Exists(own.filter(by_name=True)))
        called = Q(Exists(own.filter(here=True))) | Q(
            Exists(rows.filter(user__isnull=True, whole_room=True))
        )
    if has_preferences():
        users = _heed(users, notification.room_id, named, called)
    if not has_mentions():
        return users
    reason: Any = Value(REACTION)
    if not is_reaction:
        reason = _reason(named | called, _answers(notification))
    explained: models.QuerySet[Any] = users.annotate(**{REASON: reason})
    return explained


def _heed(users: models.QuerySet[Any], room_id: Any, named: Any, called: Any) -> Any:
    """Return the users whom preferences let be told, by name or by call, where that is known."""
    now = timezone.now()
    of_room = RoomPreferences.objects.filter(room_id=room_id, user_id=OuterRef("pk"))
    of_all = UserPreferences.objects.filter(user_id=OuterRef("pk"))
    level = Coalesce(
        Subquery(of_room.values("notify")[:1]),
        Subquery(of_all.values("notify")[:1]),
        Value(Notify.ALL.value),
    )
    # No alias of the queryset: it could not stand behind `pk__in` any more.
    hears = Q(Exact(level, Value(Notify.ALL.value)))
    if called is not None:
        hears |= Q(Exact(level, Value(Notify.MENTIONS.value))) & called
    heard = Q(~Exists(of_room.filter(muted_until__gt=now))) & hears
    if named is not None:
        heard |= named
    is_silent = Q(Exact(level, Value(Notify.NONE.value)))
    return users.filter(~is_silent, heard, ~Exists(of_all.filter(snooze_until__gt=now)))


def _reason(is_mentioned: Any, answers: Any) -> Any:
    return Case(
        When(is_mentioned, then=Value(MENTION)),
        When(answers, then=Value(REPLY)),
        default=Value(MESSAGE),
        output_field=models.CharField(),
    )


def _answers(notification: Any) -> Q:
    """Return the condition that a user wrote the message that the notified one answers."""
    parent = notification.message.parent_message_id
    if parent is None:
        return Q(pk__in=())
    model = notification.message.__class__
    return Q(pk__in=model._base_manager.filter(pk=parent).values("sender_id"))


def reason_for(user_id: Any) -> Any:
    """Return the expression for the reason of a notification, which waits for a user.

    Args:
        user_id: the placeholder of the user.
    """
    return Case(
        When(recipient__isnull=False, then=Value(REACTION)),
        When(mentioning(user_id, "message_id"), then=Value(MENTION)),
        When(message__parent_message__sender_id=user_id, then=Value(REPLY)),
        default=Value(MESSAGE),
        output_field=models.CharField(),
    )


class Heeding:
    """The words of SQL by which what waits for a user follows the user's preferences.

    Without the feature `room_preferences` there are none, and no preference is read.

    Args:
        user, now: the parameters: the user's key, and the present time.
    """

    def __init__(self, user: Any, now: Any) -> None:
        self._user = user
        self._now = now
        self._rooms = f'"{RoomPreferences._meta.db_table}"'
        self._users = f'"{UserPreferences._meta.db_table}"'

    @property
    def _level_of_user(self) -> str:
        return f"(SELECT own.notify FROM {self._users} own WHERE own.user_id = %s)"

    @property
    def _awake(self) -> str:
        return (
            f"NOT EXISTS (SELECT 1 FROM {self._users} own "
            "WHERE own.user_id = %s AND own.snooze_until > %s)"
        )

    @property
    def joins(self) -> str:
        """The join of a membership `member` with what its user wants of the room."""
        if not has_preferences():
            return ""
        return (
            f" LEFT JOIN {self._rooms} wants "
            "ON wants.room_id = member.room_id AND wants.user_id = member.user_id"
        )

    def loud(self) -> tuple[str, list[Any]]:
        """Return the condition that the user hears all of a room, and its parameters."""
        if not has_preferences():
            return "", []
        return (
            f" AND COALESCE(wants.notify, {self._level_of_user}, 'all') = 'all' "
            "AND (wants.muted_until IS NULL OR wants.muted_until <= %s) "
            f"AND {self._awake}",
            [self._user, self._now, self._user, self._now],
        )

    def quiet(self) -> tuple[str, list[Any]]:
        """Return the condition that the user hears of mentions alone, and its parameters."""
        level = f"COALESCE(wants.notify, {self._level_of_user}, 'all')"
        return (
            f" AND ({level} = 'mentions' OR ({level} = 'all' AND wants.muted_until > %s)) "
            f"AND {self._awake}",
            [self._user, self._user, self._now, self._user, self._now],
        )

    def mentioned(self) -> tuple[str, list[Any]]:
        """Return the condition that a message `waiting` mentions the user, and its parameters.

        Only by name, if the room of `member` is muted.
        """
        audible = "(wants.muted_until IS NULL OR wants.muted_until <= %s)"
        return (
            f' AND waiting.message_id IN (SELECT call.message_id FROM "{Mention._meta.db_table}" '
            "call WHERE call.room_id = member.room_id AND call.created_at >= member.pending_from "
            f"AND ((call.user_id = %s AND (call.by_name OR (call.here AND {audible}))) "
            f"OR (call.user_id IS NULL AND call.whole_room AND {audible})))",
            [self._user, self._now, self._now],
        )

    def hears_reactions(self) -> tuple[str, list[Any]]:
        """Return the condition that the user hears all of the room of `waiting`."""
        if not has_preferences():
            return "", []
        wants = (
            f"FROM {self._rooms} wants WHERE wants.room_id = waiting.room_id AND wants.user_id = %s"
        )
        return (
            f" AND COALESCE((SELECT wants.notify {wants}), {self._level_of_user}, 'all') = 'all' "
            f"AND NOT EXISTS (SELECT 1 {wants} AND wants.muted_until > %s) AND {self._awake}",
            [self._user, self._user, self._user, self._now, self._user, self._now],
        )

    @property
    def has_quiet(self) -> bool:
        """Whether there may be rooms of which the user hears mentions alone."""
        return has_preferences() and has_mentions()
