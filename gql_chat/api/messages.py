"""Messages, from server code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async

from ..models import AbstractMessage, get_model
from ..nouns import require_feature
from ..operations.mentions import MentionPage
from .acting import acting_as, message_key, room_key, user_key


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
        room_key(room),
        content,
        parent_message_id=message_key(parent_message),
        forwarded_from_id=message_key(forwarded_from),
        media=media,
        client_id=client_id,
        fields=fields,
        **_read_mentions(mentions),
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
    return handler.edit_message(message_key(message), content, fields, **_read_mentions(mentions))


def delete_messages(messages: Iterable[Any], *, by: Any, as_system: bool = False) -> None:
    """Delete messages of one room and tell its members.

    Args:
        messages: the messages.
        by: the user who deletes them: their sender, unless the server itself acts.
        as_system: whether the server itself acts.
    """
    acting_as(by, as_system=as_system).delete_messages(
        [message_key(message) for message in messages]
    )


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
    acting_as(by, as_system=as_system).pin_message(message_key(message), until)


def unpin_message(message: Any, *, by: Any, as_system: bool = False) -> None:
    """Take a pin off and tell the members of the room.

    Args:
        message: the message.
        by: the user who takes it off.
        as_system: whether the server itself acts.
    """
    acting_as(by, as_system=as_system).unpin_message(message_key(message))


def save_message(message: Any, *, by: Any) -> None:
    """Save a message for a user, and tell the user's sockets.

    Args:
        message: the message.
        by: the user.
    """
    acting_as(by).save_message(message_key(message))


def unsave_message(message: Any, *, by: Any) -> None:
    """Forget that a user has saved a message, and tell the user's sockets.

    Args:
        message: the message.
        by: the user.
    """
    acting_as(by).unsave_message(message_key(message))


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
    return acting_as(user).list_mentions(before=message_key(before), size=size)


def _read_mentions(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return whom a message mentions as an argument of an operation, if anything is said of it."""
    if given is None:
        return {}
    require_feature("mentions")
    return {"mentions": {**given, "users": [user_key(user) for user in given.get("users") or ()]}}


alist_mentions = sync_to_async(list_mentions)
asend_message = sync_to_async(send_message)
aedit_message = sync_to_async(edit_message)
adelete_messages = sync_to_async(delete_messages)
apin_message = sync_to_async(pin_message)
aunpin_message = sync_to_async(unpin_message)
asave_message = sync_to_async(save_message)
aunsave_message = sync_to_async(unsave_message)
