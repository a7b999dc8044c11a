"""Preferences: what a user wants to hear, of one room and of all; rows only where that differs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, router
from django.utils import timezone

from ..nouns import has_feature
from ..times import LATEST

FEATURE = "room_preferences"
"""The name of the feature."""

FOREVER = LATEST
"""Stands for a time that never comes."""


class Notify(models.TextChoices):
    """Of what a user is notified."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


class RoomPreferences(models.Model):
    """What a member wants of a room, where that is not what everybody gets.

    Attributes:
        notify: a `Notify`; None for what the user wants of all rooms.
        muted_until: until then the user is notified of nothing there but of being named.
        pinned: whether the room comes first in the user's list.
        archived_at: the room's last activity when the user put it away. As soon as something is
            said there, it is back: nobody writes a row for that.
        receipts: whether others see there what the user reads.
    """

    room = models.ForeignKey(
        settings.GQL_CHAT_ROOM_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the unique constraint serves it
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    notify = models.CharField(max_length=16, choices=Notify.choices, null=True, blank=True)
    muted_until = models.DateTimeField(null=True, blank=True)
    pinned = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    receipts = models.BooleanField(default=True)

    class Meta:
        verbose_name = "room preferences"
        verbose_name_plural = "room preferences"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["room", "user"], name="gql_chat_roompreferences_once")
        ]

    def __str__(self) -> str:
        return f"of {self.user_id} for {self.room_id}"

    def is_default(self, last_activity: datetime) -> bool:
        """Tell whether nothing differs from what everybody gets.

        Args:
            last_activity: the room's.
        """
        archived = self.archived_at is not None and self.archived_at >= last_activity
        plain = self.notify is None and not self.pinned and self.receipts
        return plain and not archived and not is_coming(self.muted_until)


class UserPreferences(models.Model):
    """What a user wants of all rooms, where that is not what everybody gets.

    Attributes:
        notify: a `Notify`, for rooms of which the user wants nothing else.
        receipts: whether others see what the user reads.
        presence: whether others see that the user is there, and when that was last so.
        snooze_until: until then the user is notified of nothing at all.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    notify = models.CharField(max_length=16, choices=Notify.choices, default=Notify.ALL)
    receipts = models.BooleanField(default=True)
    presence = models.BooleanField(default=True)
    snooze_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "user preferences"
        verbose_name_plural = "user preferences"

    def __str__(self) -> str:
        return f"of {self.user_id}"

    def is_default(self) -> bool:
        """Tell whether nothing differs from what everybody gets."""
        plain = self.notify == Notify.ALL and self.receipts and self.presence
        return plain and not is_coming(self.snooze_until)


def has_preferences() -> bool:
    """Tell whether the chat has the feature."""
    return has_feature(FEATURE)


def is_coming(moment: datetime | None) -> bool:
    """Tell whether there is such a time, and it is still to come."""
    return moment is not None and moment > timezone.now()


def primary(model: Any) -> models.QuerySet[Any]:
    """Return preferences as the database has them that is written."""
    rows: models.QuerySet[Any] = model.objects.using(router.db_for_write(model))
    return rows


def find_muted(user_id: Any, room_ids: Iterable[Any]) -> set[Any]:
    """Return those of some rooms that a user has muted, in one statement."""
    if not has_preferences():
        return set()
    rows = primary(RoomPreferences).filter(user_id=user_id, room_id__in=list(room_ids))
    muted = rows.filter(muted_until__gt=timezone.now())
    return set(muted.values_list("room_id", flat=True))


def is_muted(user_id: Any, room_id: Any) -> bool:
    """Tell whether a user has muted a room."""
    return room_id in find_muted(user_id, [room_id])


def pinned_rooms(user_id: Any) -> models.QuerySet[Any]:
    """Return the preferences of a user for the rooms that the user has pinned."""
    return primary(RoomPreferences).filter(user_id=user_id, pinned=True)


def shows_receipts(user_id: Any, room_id: Any) -> bool:
    """Tell whether others see in a room what a user reads: for that room, and for all."""
    if not has_preferences():
        return True
    everywhere = primary(UserPreferences).filter(user_id=user_id, receipts=False)
    here = primary(RoomPreferences).filter(user_id=user_id, room_id=room_id, receipts=False)
    return not (everywhere.exists() or here.exists())


def find_hidden(user_ids: Iterable[Any]) -> set[Any]:
    """Return those of some users who let nobody see whether they are there."""
    if not has_preferences():
        return set()
    hidden = primary(UserPreferences).filter(user_id__in=list(user_ids), presence=False)
    return set(hidden.values_list("user_id", flat=True))


def forget_room(room_id: Any, user_ids: Iterable[Any]) -> None:
    """Delete what users wanted of a room that they are out of."""
    if has_preferences():
        primary(RoomPreferences).filter(room_id=room_id, user_id__in=list(user_ids)).delete()
