"""Preferences in the schema: what a user wants to hear, of one room and of all."""

from typing import Any
from uuid import UUID

import strawberry

from .. import events
from ..models.preferences import Notify
from .context import Info
from .inputs import FLAG, given, unset
from .json_schema import keywords
from .payloads import tells
from .scalars import Archived, Timestamp, Until

_LEVELS = list(Notify.values)
_LEVELS_OF_ROOM = [*_LEVELS, "default"]


@strawberry.type
class RoomPreferences:
    """What the user wants of a room; nobody else sees it."""

    room_id: UUID
    notify: str = strawberry.field(
        description="Of what the user is notified; `default` is what `user.preferences` says.",
        metadata=keywords(enum=_LEVELS_OF_ROOM),
    )
    muted_until: Until | None
    pinned: bool
    archived: Archived
    receipts: bool


@strawberry.type
class UserPreferences:
    """What the user wants of all rooms; nobody else sees it."""

    notify: str = strawberry.field(metadata=keywords(enum=_LEVELS))
    receipts: bool
    presence: bool
    snooze_until: Timestamp | None


@strawberry.type
class SavedRoomPreferences:
    """The result of a change; `unchanged` has the preferences where nothing changed."""

    preferences: RoomPreferences
    is_changed: bool
    unchanged: RoomPreferences | None


@strawberry.type
class SavedUserPreferences:
    """The result of a change; `unchanged` has the preferences where nothing changed."""

    preferences: UserPreferences
    is_changed: bool
    unchanged: UserPreferences | None


# Inputs


@strawberry.input
class RoomPreferencesFieldsInput:
    """What changes about the preferences for a room."""

    notify: str | None = unset(keywords(type="string", enum=_LEVELS_OF_ROOM))
    muted_until: Until | None = strawberry.UNSET
    pinned: bool | None = unset(FLAG)
    archived: Archived | None = strawberry.UNSET
    receipts: bool | None = unset(FLAG)


@strawberry.input
class RoomPreferencesInput:
    """Preferences for a room to change; without `data` they are read."""

    room_id: UUID
    data: RoomPreferencesFieldsInput | None = None


@strawberry.input
class UserPreferencesFieldsInput:
    """What changes about the preferences for all rooms."""

    notify: str | None = unset(keywords(type="string", enum=_LEVELS))
    receipts: bool | None = unset(FLAG)
    presence: bool | None = unset(FLAG)
    snooze_until: Timestamp | None = strawberry.UNSET


@strawberry.input
class UserPreferencesInput:
    """Preferences for all rooms to change; without `data` they are read."""

    data: UserPreferencesFieldsInput | None = None


# Operations


@strawberry.type
class PreferenceMutations:
    """What a user may do."""

    @strawberry.mutation
    def set_room_preferences(self, info: Info, input: RoomPreferencesInput) -> SavedRoomPreferences:
        """Change or read what the user wants of a room."""
        saved: Any = info.context.handler.set_room_preferences(input.room_id, given(input.data))
        return saved  # type: ignore[no-any-return]

    @strawberry.mutation
    def set_user_preferences(self, info: Info, input: UserPreferencesInput) -> SavedUserPreferences:
        """Change or read what the user wants of all rooms."""
        saved: Any = info.context.handler.set_user_preferences(given(input.data))
        return saved  # type: ignore[no-any-return]


# Events


@strawberry.type
class RoomPreferencesChanged:
    """The user changed what they want of a room, on one of their devices."""

    is_type_of = tells(events.RoomPreferencesChanged)
    preferences: RoomPreferences


@strawberry.type
class UserPreferencesChanged:
    """The user changed what they want of all rooms, on one of their devices."""

    is_type_of = tells(events.UserPreferencesChanged)
    preferences: UserPreferences


QUERIES: tuple[type, ...] = ()
MUTATIONS: tuple[type, ...] = (PreferenceMutations,)
EVENTS: tuple[type, ...] = (RoomPreferencesChanged, UserPreferencesChanged)
