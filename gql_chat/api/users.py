"""Users, from server code: what they want, whether they are there, and how they go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async

from ..accounts.erasure import BATCH, KEEP, Erasure, Progress
from ..accounts.export import export_lines
from ..nouns import require_feature
from ..operations.people import PeoplePage
from ..operations.preferences import ShownRoomPreferences, ShownUserPreferences
from ..presence import Status, read_statuses
from ..sessions import announce_sign_out
from .acting import acting_as, room_key, user_key


def set_room_preferences(user: Any, room: Any, **preferences: Any) -> ShownRoomPreferences:
    """Change what a user wants of a room, and tell the user's sockets.

    Args:
        user: the user, who is in the room.
        room: the room.
        preferences: what changes: `notify`, `muted_until`, `pinned`, `archived`, `receipts`;
            nothing to read them.

    Returns:
        The preferences as they are now.

    Raises:
        ImproperlyConfigured: the project has not the feature `room_preferences`.
    """
    require_feature("room_preferences")
    saved = acting_as(user).set_room_preferences(room_key(room), preferences)
    shown: ShownRoomPreferences = saved.preferences
    return shown


def set_user_preferences(user: Any, **preferences: Any) -> ShownUserPreferences:
    """Change what a user wants of all rooms, and tell the user's sockets.

    Args:
        user: the user.
        preferences: what changes: `notify`, `receipts`, `presence`, `snooze_until`; nothing to read
            them.

    Returns:
        The preferences as they are now.

    Raises:
        ImproperlyConfigured: the project has not the feature `room_preferences`.
    """
    require_feature("room_preferences")
    saved = acting_as(user).set_user_preferences(preferences)
    shown: ShownUserPreferences = saved.preferences
    return shown


def find_users(
    query: str, *, by: Any, after: Any = None, size: int | None = None, as_system: bool = False
) -> PeoplePage:
    """Return the users whom somebody may start a chat with, by the beginnings of their names.

    Args:
        query: what is looked for: at least two characters.
        by: the user who looks; `PermissionHandler.may_find` says whom that user may find.
        after: a user who was found: those who come after them follow.
        size: how many at most; capped at `MAX_PAGE_SIZE`.
        as_system: whether the server itself looks; it finds all active users.

    Returns:
        The page: its `users`, and whether it `has_next`.
    """
    wanted = None if after is None else user_key(after)
    return acting_as(by, as_system=as_system).search_users(query, after=wanted, size=size)


def get_presence(users: Iterable[Any], *, viewer: Any = None) -> dict[Any, Status]:
    """Return who is online, away or offline. Whoever hides that is offline, whoever asks.

    Args:
        users: the users.
        viewer: the user who is to see it, and may see only some; None for the server itself.

    Returns:
        A `Status` of each, by primary key: `status` and `last_seen`, to the minute or None.

    Raises:
        PermissionDenied: the viewer may not see one of them.
        NotFound: there is no such user, where a viewer is given.
    """
    keys = list(dict.fromkeys(user_key(user) for user in users))
    if viewer is None:
        found = read_statuses(keys)
        return {key: found[str(key)] for key in keys}
    statuses = acting_as(viewer).find_presence(users=keys).statuses if keys else []
    return {status.user_id: status for status in statuses}


def set_presence(user: Any, status: str) -> None:
    """Say what a user shows to others.

    Args:
        user: the user.
        status: `invisible`, to look offline everywhere, or `auto`, to show what is so.
    """
    acting_as(user).set_presence(status)


def sign_out(user: Any) -> None:
    """Close all sockets of a user, in every process: with 4001, so the client has to log in again.

    Use it for logins whose end Django does not notice, such as a revoked token. The channel layer
    carries the notice once: a process that is cut off just then misses it.

    Args:
        user: the user.
    """
    announce_sign_out(user_key(user))


def erase_user(
    user: Any, messages: str = KEEP, *, batch: int = BATCH, progress: Progress | None = None
) -> dict[str, int]:
    """Erase a user from chat, and tell everybody concerned.

    The account is deactivated first, where its model has a column `is_active`. Then memberships,
    receipts, deliveries, reactions, notifications, sessions, object permissions on rooms, each
    `client_id` and the user's own stream go, and the name goes out of the event log. A one-to-one
    chat goes with its messages. A room that is left empty goes, too; one that nobody may manage any
    more gets a new leader. The account's row itself stays, and may be deleted afterwards.

    It works in many transactions of bounded size, beside open sockets. If it is interrupted, call
    it again: it goes on where it was. Inside a transaction of the caller's all is one transaction.

    Args:
        user: the user.
        messages: the fate of the user's messages in groups and channels: `"keep"` takes the name
            off them, `"blank"` their text and attachments too, `"delete"` deletes them.
        batch: how many rows one transaction takes at most, 1 to 1,000.
        progress: called after each transaction with what is erased, how many rows of it so far, and
            of how many, or None where that is not known.

    Returns:
        How many rows were erased, by what they are.

    Raises:
        NotFound: there is no such user.
        Invalid: `messages` or `batch` is not allowed.
        Busy: something was locked for long, or the user went on writing. Call it again.
    """
    erasure = Erasure(user_key(user), messages, batch, progress)
    erasure.run()
    return dict(erasure.counts)


def export_user(user: Any) -> Iterator[str]:
    """Return all that the chat has of a user: lines of JSON, each an object with its `kind`.

    They are read while they are taken, a few hundred rows at a time. So the export of any user fits
    into little memory. Changes made meanwhile may be in it or not.

    Args:
        user: the user.

    Returns:
        An iterator of lines, each with the line break at its end. The kinds are `user`, `room`,
        `message` (with its `attachments`), `read_receipt`, `delivery`, `reaction`, `session`,
        `client_message`, `mention`, `room_preferences`, `user_preferences`, `notification`,
        `permission`, and those of a project's own.

    Raises:
        NotFound: there is no such user.
    """
    return export_lines(user_key(user))


_LINES_AT_ONCE = 100


async def aexport_user(user: Any) -> AsyncIterator[str]:
    """Yield the lines of `export_user`, for coroutines."""
    lines = await sync_to_async(export_user)(user)
    while some := await sync_to_async(lambda: list(islice(lines, _LINES_AT_ONCE)))():
        for line in some:
            yield line


aset_room_preferences = sync_to_async(set_room_preferences)
aset_user_preferences = sync_to_async(set_user_preferences)
aerase_user = sync_to_async(erase_user)
afind_users = sync_to_async(find_users)
aget_presence = sync_to_async(get_presence)
aset_presence = sync_to_async(set_presence)
asign_out = sync_to_async(sign_out)
