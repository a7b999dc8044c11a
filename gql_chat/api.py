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
from .nouns import has_feature
from .operations import EventHandler
from .operations.mentions import MentionPage
from .operations.preferences import ShownRoomPreferences, ShownUserPreferences
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
        RuntimeError: the project does without the feature `mentions`.
    """
    _need("mentions")
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
        RuntimeError: the project does without the feature `room_preferences`.
    """
    _need("room_preferences")
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
        RuntimeError: the project does without the feature `room_preferences`.
    """
    _need("room_preferences")
    saved = acting_as(user).set_user_preferences(preferences)
    shown: ShownUserPreferences = saved.preferences
    return shown


def add_members(
    room: Any, members: Iterable[Any], *, by: Any, as_system: bool = False
) -> AbstractRoom:
    """Bring users into a room, and tell its members, the new ones included.

    Args:
        room: the room.
        members: the users; members of the room are skipped.
        by: the user who adds them; the frame has this user's name.
        as_system: whether the server itself acts.

    Returns:
        The room.
    """
    users = [_user(member) for member in members]
    return acting_as(by, as_system=as_system).add_members(_room(room), users)


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
    into little memory, and what changes meanwhile may be in it or not.

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
aadd_members = sync_to_async(add_members)
aremove_members = sync_to_async(remove_members)
asend_to_room = sync_to_async(send_to_room)
asend_to_users = sync_to_async(send_to_users)
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
    _need("mentions")
    return {"mentions": {**given, "users": [_user(user) for user in given.get("users") or ()]}}


def _need(feature: str) -> None:
    if not has_feature(feature):
        raise RuntimeError(f"The project does without the feature {feature!r}: see FEATURES.")


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
