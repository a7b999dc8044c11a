"""Visibility: which of a room's messages a member may see. The one rule of the feature `history`.

A member sees what was written from `Membership.visible_from` on. Whatever shows messages to a
member, counts them, or lets a member do something with them asks here:

- `is_visible` tells of one message, `is_visible_to_all` whether all members may see it,
- `visible_messages` is the condition on messages, from a time that is known or a column,
- `members_who_see` is the condition on memberships, from a message's time,
- `hide_quotes` takes quotes out of messages that are shown to one member.

Frames for all members of a room are another matter: see `gql_chat.streams.veils`.

Without the feature everybody sees everything, and the conditions are empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, router
from django.db.models import Q

from ..nouns import has_feature
from ..times import EARLIEST

if TYPE_CHECKING:
    from . import AbstractMessage, AbstractRoom, Membership

FEATURE = "history"

BEGINNING = EARLIEST
"""The `visible_from` of a member who sees everything."""

ALL, NONE = HISTORIES = ("all", "none")
"""What of a room's history somebody who comes in may see."""

_TICK = timedelta(microseconds=1)


class History(models.TextChoices):
    """What of a room's history members see who come later."""

    SHARED = "shared"
    JOINED = "joined"


def visible_from(membership: Membership) -> datetime:
    """Return the time from which on a member sees what was written in the room."""
    return membership.visible_from if has_feature(FEATURE) else BEGINNING


def is_visible(membership: Membership, message: AbstractMessage) -> bool:
    """Tell whether a member may see a message of the membership's room."""
    return message.created_at >= visible_from(membership)


def is_visible_to_all(message: AbstractMessage) -> bool:
    """Tell whether all members of a message's room, which is locked, may see the message."""
    return not has_feature(FEATURE) or message.created_at >= message.room.visible_to_all_from


def visible_messages(since: Any, column: str = "created_at") -> Q:
    """Return the condition that messages of a room are visible to one member of it.

    A statement that is kept with it depends on `models.accounts.shown_version`.

    Args:
        since: the member's `visible_from`: a time, a placeholder, or an expression such as
            `OuterRef("mine__visible_from")`.
        column: the column with the time of the message, or the lookup that leads to it.
    """
    return Q(**{f"{column}__gte": since}) if has_feature(FEATURE) else Q()


def members_who_see(at: Any, prefix: str = "") -> Q:
    """Return the condition that memberships of a room are of members who see one message of it.

    A statement that is kept with it depends on `models.accounts.shown_version`.

    Args:
        at: when the message was written: a time, a placeholder, or an expression such as
            `OuterRef("created_at")`.
        prefix: the lookup that leads to the membership, as `"memberships__"`.
    """
    return Q(**{f"{prefix}visible_from__lte": at}) if has_feature(FEATURE) else Q()


def hide_quotes(messages: Iterable[Any], since: Mapping[Any, datetime]) -> None:
    """Take out of messages, which are loaded, the quotes that one member may not see.

    Messages of other rooms that are quoted stay: whoever answers one elsewhere shows it there.

    Args:
        messages: the messages, which are shown to this member alone.
        since: the member's `visible_from` by the room's key.
    """
    if not has_feature(FEATURE):
        return
    for message in messages:
        quote = message.relations.parent_message
        if quote is None or quote.room_id != message.room_id:
            continue
        if quote.created_at < since.get(message.room_id, BEGINNING):
            message.relations.parent_message = None


# Coming in


def begin(room: AbstractRoom, history: str | None = None, giver: Membership | None = None) -> Any:
    """Return the time from which on somebody who comes into a room now sees what is written.

    The room notes it where that hides something. Nobody gives more than they see themselves.

    Args:
        room: the room, locked.
        history: one of `HISTORIES`; None for what the room says (`Room.history`).
        giver: the membership of who brings them in; None if nobody does.
    """
    if not has_feature(FEATURE):
        return BEGINNING
    if history is None:
        history = NONE if room.history == History.JOINED else ALL
    if history == ALL:
        since = BEGINNING if giver is None else giver.visible_from
    else:
        # By the times of the room's messages and not by the clock, since servers' clocks differ:
        # the next message's time is later than all of these.
        since = max(room.last_activity, room.newest_activity()) + _TICK
    if since > room.visible_to_all_from:
        rooms = type(room)._base_manager.using(router.db_for_write(type(room)))
        rooms.filter(pk=room.pk, visible_to_all_from__lt=since).update(visible_to_all_from=since)
        room.visible_to_all_from = since
    return since
