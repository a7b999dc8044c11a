"""Acting: the operations on behalf of a user, and the keys of what server code names."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from ..conf import chat_settings
from ..errors import Invalid, quote
from ..models import get_model
from ..operations import EventHandler


def acting_as(user: Any, *, as_system: bool = False) -> EventHandler:
    """Return all operations on behalf of a user: an instance of `EVENT_HANDLER_CLASS`.

    Use it for operations that have no function here, and for one operation each: it would not
    notice that the account is deactivated later.

    Args:
        user: the user who acts.
        as_system: whether the server itself acts, by this account.
    """
    handler: EventHandler = chat_settings.load("EVENT_HANDLER_CLASS")(user_key(user))
    handler.as_system = as_system
    handler.has_quotas = False
    return handler


def room_key(room: Any) -> Any:
    """Return the key of a room that is given as itself or by its key."""
    return read_key("room", get_model("Room"), room)


def message_key(message: Any) -> Any:
    """Return the key of a message that is given as itself or by its key."""
    return read_key("message", get_model("Message"), message)


def user_key(user: Any) -> Any:
    """Return the key of a user who is given as themselves or by their key."""
    return read_key("user", get_user_model(), user)


def read_key(field: str, model: Any, given: Any) -> Any:
    """Return the primary key of an instance, or a given key, as a value of the key's column.

    Raises:
        Invalid: it is no key of this model.
    """
    key = getattr(given, "pk", given)
    try:
        return model._meta.pk.to_python(key)
    except ValidationError:
        raise Invalid({field: f"{quote(key)} is not an id."}) from None
