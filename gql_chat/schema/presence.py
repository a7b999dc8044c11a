"""Presence in the schema: who is there, and what a user shows of it."""

from typing import Any
from uuid import UUID

import strawberry

from .. import events
from ..conf import chat_settings
from ..operations.presence import SHOWN, Watched
from ..prepared.counts import counted
from ..presence import OFFLINE, Status
from ..presence.statuses import STATUSES
from .context import Info
from .json_schema import keywords
from .payloads import tells
from .scalars import Timestamp, UserID


def max_users() -> int | None:
    """Return how many users one request may name."""
    return chat_settings.MAX_PRESENCE_USERS


def max_rooms() -> int | None:
    """Return how many rooms one request may name."""
    return chat_settings.MAX_PRESENCE_ROOMS


USERS = {**keywords(minItems=1, maxItems=max_users), **counted(max_users)}
ROOMS = {**keywords(minItems=1, maxItems=max_rooms), **counted(max_rooms)}


@strawberry.type
class UserPresence:
    """The presence of a user, as anybody may see it who may."""

    user_id: UserID
    status: str = strawberry.field(metadata=keywords(enum=list(STATUSES)))
    last_seen: Timestamp | None = strawberry.field(
        description="When somebody was last there, to the minute; null if that is not shown."
    )


@strawberry.type
class RoomPresence:
    """Whom somebody watches of a room."""

    room_id: UUID
    members: list[UserID]


# Events


@strawberry.type
class PresenceChanged:
    """Who is there: at first of all who are watched (`snapshot`), then of those who changed."""

    is_type_of = tells(events.PresenceChanged)
    users: list[UserPresence]
    snapshot: bool


@strawberry.type
class WatchedPresence:
    """Who is there, and whom each of the named rooms stands for."""

    presence: PresenceChanged
    rooms: list[RoomPresence]


# Inputs


@strawberry.input
class PresenceInput:
    """Whose presence: users or rooms, by their ids."""

    users: list[UserID] | None = strawberry.field(default=None, metadata=USERS)
    rooms: list[UUID] | None = strawberry.field(default=None, metadata=ROOMS)


@strawberry.input
class ShownPresenceInput:
    """What the user shows."""

    status: str = strawberry.field(metadata=keywords(enum=list(SHOWN)))


@strawberry.input
class ActivityInput:
    """Whether somebody sits at a socket."""

    channel_name: str
    active: bool


# Operations


def snapshot(watched: Watched) -> PresenceChanged:
    """Return what the user is told of all whom they asked for."""
    told: Any = events.PresenceChanged(users=watched.statuses, snapshot=True)
    return told  # type: ignore[no-any-return]


def farewell(user_id: Any) -> Status:
    """Return how a user looks who may not be seen any more: as one who hides."""
    return Status(user_id, OFFLINE)


@strawberry.type
class PresenceQueries:
    """What a user may look at."""

    @strawberry.field
    def presence(self, info: Info, input: PresenceInput) -> PresenceChanged:
        """Who is online, away or offline."""
        found = info.context.handler.find_presence(users=input.users, rooms=input.rooms)
        return snapshot(found)

    @strawberry.field
    def watched_presence(self, info: Info, input: PresenceInput) -> WatchedPresence:
        """Who is online, away or offline, for a socket that goes on to be told of changes."""
        found = info.context.handler.find_presence(users=input.users, rooms=input.rooms)
        rooms = [
            RoomPresence(room_id=room_id, members=members)
            for room_id, members in found.rooms.items()
        ]
        return WatchedPresence(presence=snapshot(found), rooms=rooms)

    @strawberry.field
    def unwatched_presence(self, info: Info, input: PresenceInput) -> bool:
        """Nothing, for a socket that is told of users or rooms no more: of all if none is named."""
        info.context.handler.leave_presence()
        return True

    @strawberry.field
    def shown_presence(self, info: Info) -> str:
        """What the user shows to others: `invisible` or `auto`."""
        shown: str = info.context.handler.find_shown_presence()
        return shown


@strawberry.type
class PresenceMutations:
    """What a user may do."""

    @strawberry.mutation
    def set_presence(self, info: Info, input: ShownPresenceInput) -> bool:
        """Look offline everywhere (`invisible`), or show what is so (`auto`)."""
        info.context.handler.set_presence(input.status)
        return True

    @strawberry.mutation
    def set_activity(self, info: Info, input: ActivityInput) -> bool:
        """Say whether somebody sits at a socket."""
        info.context.handler.set_activity(input.channel_name, input.active)
        return True


QUERIES: tuple[type, ...] = (PresenceQueries,)
MUTATIONS: tuple[type, ...] = (PresenceMutations,)
EVENTS: tuple[type, ...] = (PresenceChanged,)
