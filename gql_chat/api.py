"""Chat from a project's own code: a view, a task, a command, a signal receiver.

Each function runs an operation of `EVENT_HANDLER_CLASS`. So the project's rules hold, and sockets
get the same frames as for a client's event. Inside a transaction of the caller's, frames leave
after the outermost commit, and never if that is rolled back.

A user account acts. With `as_system` the server itself acts, by an account that the project keeps
for that: it needs no permission and need not be a member. Other rules hold for it, too: the caps
of rooms, the two users of a one-to-one chat, the limits of a message. How many events a user sends,
and how many rooms a user makes or is in, is not limited here.

Rooms, messages and users are given as instances or as primary keys. The variants whose names
begin with an `a` are for coroutines.

All of them raise `gql_chat.errors`: `NotFound`, `PermissionDenied`, `Invalid` with a `detail`
that names the field, `Conflict`, and `NotAuthenticated` if the acting account is not active.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from .accounts.erasure import BATCH, KEEP, Erasure, Progress
from .accounts.export import export_lines
from .conf import chat_settings
from .errors import Invalid, quote
from .events import Event
from .models import AbstractMessage, AbstractRoom, get_model
from .models.unread import Unread, UnreadTotals, count_unread
from .nouns import require_feature
from .operations import EventHandler
from .operations.member_pages import MemberPage
from .operations.mentions import MentionPage
from .operations.people import PeoplePage
from .operations.preferences import ShownRoomPreferences, ShownUserPreferences
from .operations.room_pages import RoomPage
from .presence import Status, read_statuses
from .sessions import announce_sign_out


def acting_as(user: Any, *, as_system: bool = False) -> EventHandler:
    """Return all operations on behalf of a user: an instance of `EVENT_HANDLER_CLASS`.

    Use it for operations that have no function here, and for one operation each: it would not
    notice that the account is deactivated later.

    Args:
        user: the user who acts.
        as_system: whether the server itself acts, by this account.
    """
    handler: EventHandler = chat_settings.load("EVENT_HANDLER_CLASS")(_user(user))
    handler.as_system = as_system
    handler.has_quotas = False
    return handler


def create_room(
    room_type: str | type[AbstractRoom],
    *,
    creator: Any,
    name: str | None = None,
    description: str | None = None,
    members: Iterable[Any] = (),
    fields: Mapping[str, Any] | None = None,
    preferences: Mapping[str, Any] | None = None,
    as_system: bool = False,
) -> AbstractRoom:
    """Create a room, and tell its members.

    Args:
        room_type: `OneToOneChat`, `GroupChat`, `Channel`, or a type of the project's own: its
            name or its model.
        creator: the user who creates the room, and leads it from then on.
        name: 1 to 64 characters; needed for all types but one-to-one chats.
        description: a description of the room.
        members: the first members, besides the creator.
        fields: the values that a client may give in `extra_fields`: `max_participants`, and so on.
        preferences: the preferences in the room's property.
        as_system: whether the server itself acts; then any column of the project's may be set.

    Returns:
        The room, of its type's class.

    Raises:
        Conflict: the two users have a one-to-one chat; `detail["room_id"]` is its id.
    """
    type_name = room_type if isinstance(room_type, str) else room_type.rules.name
    return acting_as(creator, as_system=as_system).create_room(
        type_name,
        name=name,
        description=description,
        members=[_user(member) for member in members],
        fields=fields,
        preferences=preferences,
    )


def send_message(
    room: Any,
    content: str = "",
    *,
    sender: Any,
    parent_message: Any = None,
    forwarded_from: Any = None,
    media: Sequence[Mapping[str, Any]] = (),
    client_id: str | None = None,
    fields: Mapping[str, Any] | None = None,
    mentions: Mapping[str, Any] | None = None,
    as_system: bool = False,
) -> AbstractMessage:
    """Write a message into a room and tell its members.

    Args:
        room: the room.
        content: the text; it is cleaned like a client's.
        sender: the user who sends it.
        parent_message: the message that this one answers.
        forwarded_from: the message that this one passes on.
        media: attachments: `media_url`, `media_type`, `mime_type`, and perhaps `file_size` in
            bytes, `caption` and `metadata`.
        client_id: the sender's own id for it. A second call with the same one stores nothing, so a
            task that runs twice sends once.
        fields: values for columns that the project's message type declares as writable.
        mentions: whom it mentions: `users`, `room` (True for everybody), `here` (True for those who
            have a socket open). Needs the feature `mentions`.
        as_system: whether the server itself acts; then any column of the project's may be set.

    Returns:
        The message; for a repeated `client_id` the message of the first call.
    """
    sent = acting_as(sender, as_system=as_system).send_message(
        _room(room),
        content,
        parent_message_id=_message(parent_message),
        forwarded_from_id=_message(forwarded_from),
        media=media,
        client_id=client_id,
        fields=fields,
        **_mentions(mentions),
    )
    messages: Any = get_model("Message").objects.select_related("room", "sender")
    message: AbstractMessage = messages.get(pk=sent.message_id)
    return message


def edit_message(
    message: Any,
    content: str | None = None,
    *,
    by: Any,
    fields: Mapping[str, Any] | None = None,
    mentions: Mapping[str, Any] | None = None,
    as_system: bool = False,
) -> AbstractMessage:
    """Change a message and tell the members of its room.

    Args:
        message: the message.
        content: its new text; None leaves the text as it is.
        by: the user who changes it: its sender, unless the server itself acts.
        fields: values for columns that the project's message type lets users change.
        mentions: whom it mentions from now on, as for sending; None leaves that as it is.
        as_system: whether the server itself acts.

    Returns:
        The changed message.
    """
    handler = acting_as(by, as_system=as_system)
    return handler.edit_message(_message(message), content, fields, **_mentions(mentions))


def delete_messages(messages: Iterable[Any], *, by: Any, as_system: bool = False) -> None:
    """Delete messages of one room and tell its members.

    Args:
        messages: the messages.
        by: the user who deletes them: their sender, unless the server itself acts.
        as_system: whether the server itself acts.
    """
    acting_as(by, as_system=as_system).delete_messages([_message(message) for message in messages])


def pin_message(
    message: Any, *, by: Any, until: datetime | None = None, as_system: bool = False
) -> None:
    """Pin a message in its room and tell the members.

    Args:
        message: the message.
        by: the user who pins it; the frame has this user's name.
        until: when the pin ends; None for never.
        as_system: whether the server itself acts.
    """
    acting_as(by, as_system=as_system).pin_message(_message(message), until)


def unpin_message(message: Any, *, by: Any, as_system: bool = False) -> None:
    """Take a pin off and tell the members of the room.

    Args:
        message: the message.
        by: the user who takes it off.
        as_system: whether the server itself acts.
    """
    acting_as(by, as_system=as_system).unpin_message(_message(message))


def save_message(message: Any, *, by: Any) -> None:
    """Save a message for a user, and tell the user's sockets.

    Args:
        message: the message.
        by: the user.
    """
    acting_as(by).save_message(_message(message))


def unsave_message(message: Any, *, by: Any) -> None:
    """Forget that a user has saved a message, and tell the user's sockets.

    Args:
        message: the message.
        by: the user.
    """
    acting_as(by).unsave_message(_message(message))


def list_mentions(user: Any, *, before: Any = None, size: int | None = None) -> MentionPage:
    """Return a page of the messages that mention a user, the newest first.

    Args:
        user: the user.
        before: a message: mentions older than it follow; None for the newest.
        size: how many at most; at most `MAX_PAGE_SIZE`.

    Returns:
        The page: `mentions`, which are messages with a `mention_kind` (`user`, `here` or `room`),
        and `has_next`.

    Raises:
        ImproperlyConfigured: the project has not the feature `mentions`.
    """
    require_feature("mentions")
    return acting_as(user).list_mentions(before=_message(before), size=size)


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
    saved = acting_as(user).set_room_preferences(_room(room), preferences)
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


def add_members(
    room: Any,
    members: Iterable[Any],
    *,
    by: Any,
    history: str | None = None,
    as_system: bool = False,
) -> AbstractRoom:
    """Bring users into a room, and tell its members, the new ones included.

    Args:
        room: the room.
        members: the users; members of the room are skipped.
        by: the user who adds them; the frame has this user's name.
        history: what they see of what was written before: `"all"`, as far as `by` sees it, or
            `"none"`. Left out, the room says so (`Room.history`).
        as_system: whether the server itself acts.

    Returns:
        The room.
    """
    users = [_user(member) for member in members]
    handler = acting_as(by, as_system=as_system)
    return handler.add_members(_room(room), users, history=history)


def remove_members(room: Any, members: Iterable[Any], *, by: Any, as_system: bool = False) -> None:
    """Put users out of a room, and tell them and the remaining members.

    Args:
        room: the room.
        members: the users; non-members and the room's creator are skipped.
        by: the user who removes them; the frame has this user's name.
        as_system: whether the server itself acts.
    """
    users = [_user(member) for member in members]
    acting_as(by, as_system=as_system).remove_members(_room(room), users)


def list_rooms(
    user: Any,
    *,
    before: Any = None,
    size: int | None = None,
    filters: Mapping[str, Any] | None = None,
) -> RoomPage:
    """Return rooms of a user, the most recently active first, with what `room.list` shows of them.

    Args:
        user: the user, whose rooms they are.
        before: a room: those less recently active follow.
        size: how many at most; capped at `MAX_PAGE_SIZE`.
        filters: which rooms: values for some of `type`, `unread` and `query`.

    Returns:
        The page: its `rooms`, and whether it `has_next`.
    """
    wanted = None if before is None else _room(before)
    return acting_as(user).list_room_page(before=wanted, size=size, filters=filters)


def list_members(
    room: Any,
    *,
    by: Any,
    after: Any = None,
    size: int | None = None,
    query: str | None = None,
    role: str | None = None,
    as_system: bool = False,
) -> MemberPage:
    """Return members of a room: leaders first, the others in the order of joining.

    Args:
        room: the room.
        by: the user who asks: a member, unless the server itself does.
        after: a user in the room: those who come after them follow.
        size: how many at most; capped at `MAX_PAGE_SIZE`.
        query: only members of whose names each of its words begins one.
        role: only members with this role: `member`, `admin` or `moderator`.
        as_system: whether the server itself acts.

    Returns:
        The page: its `members`, which are memberships with their `user`, the `member_count` of the
        room, and whether it `has_next`.
    """
    wanted = None if after is None else _user(after)
    handler = acting_as(by, as_system=as_system)
    return handler.room_members(_room(room), after=wanted, size=size, query=query, role=role)


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
    wanted = None if after is None else _user(after)
    return acting_as(by, as_system=as_system).search_users(query, after=wanted, size=size)


def read_room(room: Any, *, by: Any, up_to: Any = None, private: bool = False) -> None:
    """Note that a user has read a room, and tell its members and the user's devices.

    Args:
        room: the room.
        by: the user who has read, a member.
        up_to: the message up to which; the newest, if it is left out. Up to where the user has
            read already nothing happens.
        private: whether nobody but the user's own devices is told.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    handler = acting_as(by)
    handler.read_room(_room(room), up_to=_message(up_to), private=private)


def mark_unread(room: Any, message: Any, *, by: Any) -> None:
    """Mark a room as unread for a user from a message on, until the user reads it.

    Args:
        room: the room.
        message: a message of the room.
        by: the user, a member.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    acting_as(by).mark_unread(_room(room), _message(message))


def list_unread(user: Any, room: Any = None) -> Unread:
    """Return in which rooms something waits for a user, and what waits in all of them.

    Args:
        user: the user.
        room: a room: then that one alone is listed, whether something waits there or not.

    Returns:
        `rooms` (each a `models.unread.RoomUnread`) and `totals`.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    return acting_as(user).list_unread(_room(room))


def unread_totals(users: Iterable[Any]) -> dict[Any, UnreadTotals]:
    """Count what several users have not read, in one statement: for badges on icons.

    Args:
        users: the users.

    Returns:
        By the primary key of each: `rooms`, `messages`, `mentions` and `muted`.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    require_feature("read_markers")
    keys = [_user(user) for user in users]
    found = count_unread(keys) if keys else {}
    return {key: found[key].totals if key in found else UnreadTotals() for key in keys}


def send_to_room(room: Any, event: Event, *, stored: bool = True) -> None:
    """Send an event of the project's own to all members of a room.

    Args:
        room: the room.
        event: an instance of one of the types in `events` of `EVENT_HANDLER_CLASS`.
        stored: False for an event that matters only at the moment, like typing: it is not logged,
            not replayed, and may be lost.
    """
    acting_as(None).send_to_room(_room(room), event, stored=stored)


def send_to_users(users: Iterable[Any], event: Event) -> None:
    """Send an event of the project's own to users, whatever rooms they are in.

    Args:
        users: the users.
        event: an instance of one of the types in `events` of `EVENT_HANDLER_CLASS`.
    """
    acting_as(None).send_to_users([_user(user) for user in users], event)


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
    keys = list(dict.fromkeys(_user(user) for user in users))
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
    announce_sign_out(_user(user))


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
    erasure = Erasure(_user(user), messages, batch, progress)
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
    return export_lines(_user(user))


_LINES_AT_ONCE = 100


async def aexport_user(user: Any) -> AsyncIterator[str]:
    """Yield the lines of `export_user`, for coroutines."""
    lines = await sync_to_async(export_user)(user)
    while some := await sync_to_async(lambda: list(islice(lines, _LINES_AT_ONCE)))():
        for line in some:
            yield line


alist_mentions = sync_to_async(list_mentions)
aset_room_preferences = sync_to_async(set_room_preferences)
aset_user_preferences = sync_to_async(set_user_preferences)
aerase_user = sync_to_async(erase_user)
acreate_room = sync_to_async(create_room)
asend_message = sync_to_async(send_message)
aedit_message = sync_to_async(edit_message)
adelete_messages = sync_to_async(delete_messages)
apin_message = sync_to_async(pin_message)
aunpin_message = sync_to_async(unpin_message)
asave_message = sync_to_async(save_message)
aunsave_message = sync_to_async(unsave_message)
aadd_members = sync_to_async(add_members)
aremove_members = sync_to_async(remove_members)
alist_rooms = sync_to_async(list_rooms)
alist_members = sync_to_async(list_members)
afind_users = sync_to_async(find_users)
aread_room = sync_to_async(read_room)
amark_unread = sync_to_async(mark_unread)
alist_unread = sync_to_async(list_unread)
aunread_totals = sync_to_async(unread_totals)
asend_to_room = sync_to_async(send_to_room)
asend_to_users = sync_to_async(send_to_users)
aget_presence = sync_to_async(get_presence)
aset_presence = sync_to_async(set_presence)
asign_out = sync_to_async(sign_out)


def _room(room: Any) -> Any:
    return _key("room", get_model("Room"), room)


def _message(message: Any) -> Any:
    return _key("message", get_model("Message"), message)


def _user(user: Any) -> Any:
    return _key("user", get_user_model(), user)


def _mentions(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return whom a message mentions as an argument of an operation, if anything is said of it."""
    if given is None:
        return {}
    require_feature("mentions")
    return {"mentions": {**given, "users": [_user(user) for user in given.get("users") or ()]}}


def _key(field: str, model: Any, given: Any) -> Any:
    """Return the primary key of an instance, or a given key, as a value of the key's column.

    Raises:
        Invalid: it is no key of this model.
    """
    key = getattr(given, "pk", given)
    try:
        return model._meta.pk.to_python(key)
    except ValidationError:
        raise Invalid({field: f"{quote(key)} is not an id."}) from None
