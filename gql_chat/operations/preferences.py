"""Preferences: what a user wants to hear, of one room and of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from .. import presence, streams
from ..errors import Invalid
from ..events import RoomPreferencesChanged, UserPreferencesChanged
from ..models import AbstractRoom, RoomPreferences, UserPreferences, get_model
from ..models.preferences import FOREVER, Notify, has_preferences, is_coming, primary
from ..nouns import has_feature
from ..sql.statements import Among, Many, One, Statement
from ..times import check_time
from .base import Operations, operation
from .uses import check_use

_of_user: Statement[Any] = Statement(
    lambda user_id, room_ids: RoomPreferences.objects.filter(
        Among(F("room_id"), room_ids), user_id=user_id
    ),
    lambda: [One(get_user_model()._meta.pk), Many(get_model("Room")._meta.pk)],
)

ALWAYS = "forever"
"""Stands for a mute, or an archiving, that does not end by itself."""

DEFAULT = "default"
"""Stands for what the user wants of all rooms."""


@dataclass(frozen=True, slots=True)
class ShownRoomPreferences:
    """What a member wants of a room, as frames show it.

    Attributes:
        room_id: the room.
        notify: `all`, `mentions`, `none`, or `default`.
        muted_until: a time to come, `forever`, or None.
        pinned: whether the room comes first in the list.
        archived: whether it is put away: True until something is said there, or `forever`.
        receipts: whether others see there what the member reads.
    """

    room_id: Any
    notify: str = DEFAULT
    muted_until: datetime | str | None = None
    pinned: bool = False
    archived: bool | str = False
    receipts: bool = True


@dataclass(frozen=True, slots=True)
class ShownUserPreferences:
    """What a user wants of all rooms, as frames show it.

    Attributes:
        notify: `all`, `mentions`, or `none`.
        receipts: whether others see what the user reads.
        presence: whether others see that the user is there.
        snooze_until: a time to come, or None.
    """

    notify: str = Notify.ALL.value
    receipts: bool = True
    presence: bool = True
    snooze_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """The result of a change.

    Attributes:
        preferences: as they are now.
        is_changed: whether the change changed anything, so that all sockets of the user are told.
    """

    preferences: Any
    is_changed: bool

    @property
    def unchanged(self) -> Any:
        """The preferences where nobody was told, since nothing changed; else None."""
        return None if self.is_changed else self.preferences


def show_room_preferences(room: Any, stored: Any) -> ShownRoomPreferences:
    """Return what frames show of a member's preferences for a room.

    Args:
        room: the room: its key and its last activity are looked at.
        stored: the member's row, or whatever has its columns; None where there is none.
    """
    if stored is None:
        return ShownRoomPreferences(room.pk)
    archived: bool | str = False
    if stored.archived_at is not None and stored.archived_at >= room.last_activity:
        archived = ALWAYS if stored.archived_at >= FOREVER else True
    return ShownRoomPreferences(
        room.pk,
        stored.notify or DEFAULT,
        _show_end(stored.muted_until),
        bool(stored.pinned),
        archived,
        stored.receipts is not False,
    )


def _show_end(moment: datetime | None) -> datetime | str | None:
    if moment is None or not is_coming(moment):
        return None
    return ALWAYS if moment >= FOREVER else moment


def show_user_preferences(stored: UserPreferences | None) -> ShownUserPreferences:
    """Return what frames show of a user's preferences; `stored` is None where there is no row."""
    if stored is None:
        return ShownUserPreferences()
    ends = stored.snooze_until if is_coming(stored.snooze_until) else None
    return ShownUserPreferences(stored.notify, stored.receipts, stored.presence, ends)


def pinned_first(user_id: Any) -> list[Any]:
    """Return by what a list of a user's rooms is ordered before all else.

    Args:
        user_id: the placeholder of the user.
    """
    if not has_preferences():
        return []
    pinned = RoomPreferences.objects.filter(room_id=OuterRef("pk"), user_id=user_id, pinned=True)
    return [Exists(pinned).desc()]


def attach_preferences(user_id: Any, rooms: Sequence[Any]) -> None:
    """Give listed rooms the user's `preferences`, in one statement: few rooms have a row."""
    if has_preferences() and rooms:
        rows = {row.room_id: row for row in _of_user.all(user_id, [room.pk for room in rooms])}
        for room in rooms:
            room.preferences = show_room_preferences(room, rows.get(room.pk))


class PreferenceOperations(Operations):
    """What a user wants to hear."""

    @operation
    def set_room_preferences(self, room_id: Any, data: Mapping[str, Any] | None = None) -> Saved:
        """Change what the user wants of a room, and tell the user's sockets; nobody else hears.

        Args:
            room_id: the room.
            data: what changes, as in `ShownRoomPreferences`; None or nothing changes nothing.

        Returns:
            The preferences as they are now.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user is not in it.
            Invalid: a value is wrong, or a time is past; the detail names the field.
        """
        values = _check(data or {}, _ROOM_CHECKS)
        with streams.transaction() as outbox:
            # Two devices come one after the other, and whoever leaves the room leaves no row.
            room = self.enter(room_id, lock=bool(values)).room
            check_use(self, "room.preferences", room)
            _check_times(values)
            rows = primary(RoomPreferences).filter(room_id=room.pk, user_id=self.user_id)
            before = rows.first()
            shown = show_room_preferences(room, before)
            if values:
                now = show_room_preferences(room, self._write_room(room, before, values))
                if now != shown:
                    outbox.target({self.user_id: RoomPreferencesChanged(now)})
                    return Saved(now, is_changed=True)
        return Saved(shown, is_changed=False)

    def _write_room(self, room: AbstractRoom, before: Any, values: Mapping[str, Any]) -> Any:
        """Write what changes about the user's row for a room, and return the row."""
        columns = dict(values)
        if "archived" in columns:
            archived = columns.pop("archived")
            columns["archived_at"] = (
                FOREVER if archived == ALWAYS else room.last_activity if archived else None
            )
        row = before or RoomPreferences(room_id=room.pk, user_id=self.user_id)
        for name, value in columns.items():
            setattr(row, name, value)
        using = router.db_for_write(RoomPreferences)
        if not row.is_default(room.last_activity):
            row.save(using=using)
        elif before is not None:
            row.delete(using=using)
        return row

    @operation
    def set_user_preferences(self, data: Mapping[str, Any] | None = None) -> Saved:
        """Change what the user wants of all rooms, and tell the user's sockets; nobody else hears.

        Args:
            data: what changes, as in `ShownUserPreferences`; None or nothing changes nothing.

        Returns:
            The preferences as they are now.

        Raises:
            Invalid: a value is wrong, or a time is past; the detail names the field.
            NotAuthenticated: the account is gone or was deactivated.
        """
        values = _check(data or {}, _USER_CHECKS)
        with streams.transaction() as outbox:
            check_use(self, "user.preferences")
            _check_times(values)
            rows = primary(UserPreferences).filter(user_id=self.user_id)
            if not values:
                return Saved(show_user_preferences(rows.first()), is_changed=False)
            # One statement that makes the row or locks it: of two devices one comes after the
            # other, and each changes what it names.
            primary(UserPreferences).bulk_create(
                [UserPreferences(user_id=self.user_id)], ignore_conflicts=True
            )
            row = rows.select_for_update().first()
            if row is None:
                raise streams.Again("Another device has just gone back to what everybody gets.")
            shown = show_user_preferences(row)
            for name, value in values.items():
                setattr(row, name, value)
            if row.is_default():
                rows.delete()
            else:
                row.save(using=router.db_for_write(UserPreferences))
            now = show_user_preferences(row)
            if now != shown:
                outbox.target({self.user_id: UserPreferencesChanged(now)})
            if now.presence != shown.presence and has_feature("presence"):
                streams.announce(presence.changed([str(self.user_id)]))
        return Saved(now, is_changed=now != shown)


# What clients send


def _check(data: Mapping[str, Any], checks: Mapping[str, Any]) -> dict[str, Any]:
    """Return preferences as they are stored.

    Raises:
        Invalid: naming each field that is unknown, or whose value is wrong.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in data.items():
        check = checks.get(name)
        if check is None:
            problems[name] = "There is no such preference."
            continue
        try:
            values[name] = check(value)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise Invalid({f"data.{name}": problem for name, problem in problems.items()})
    return values


def _check_times(values: Mapping[str, Any]) -> None:
    """Refuse ends that are past already.

    Raises:
        Invalid: naming the field.
    """
    for name in ("muted_until", "snooze_until"):
        if values.get(name) is not None and not is_coming(values[name]):
            raise Invalid({f"data.{name}": "This time is past."})


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or false is needed.")
    return value


def _notify_in_room(value: Any) -> str | None:
    return None if value == DEFAULT else _notify(value, DEFAULT)


def _notify(value: Any, *more: str) -> str:
    if not isinstance(value, str) or value not in Notify.values:
        raise ValueError(f"One of {', '.join([*Notify.values, *more])} is needed.")
    return value


def _end(value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ValueError("A time is needed, or null.")
    moment = value if value.tzinfo is not None else timezone.make_aware(value)
    return min(check_time(moment), FOREVER)


def _end_or_never(value: Any) -> datetime | None:
    return FOREVER if value == ALWAYS else _end(value)


def _archived(value: Any) -> bool | str:
    return ALWAYS if value == ALWAYS else _flag(value)


_ROOM_CHECKS = {
    "notify": _notify_in_room,
    "muted_until": _end_or_never,
    "pinned": _flag,
    "archived": _archived,
    "receipts": _flag,
}
_USER_CHECKS = {
    "notify": _notify,
    "receipts": _flag,
    "presence": _flag,
    "snooze_until": _end,
}
