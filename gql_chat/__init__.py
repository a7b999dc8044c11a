"""Chat for Django: rooms, messages, receipts, reactions and notifications as a GraphQL API.

What server code calls is imported from here: `from gql_chat import send_message`. See
`gql_chat.api`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0.dev0"

if TYPE_CHECKING:
    from .api import (
        aadd_members,
        acreate_room,
        acting_as,
        add_members,
        adelete_messages,
        aedit_message,
        aerase_user,
        aexport_user,
        alist_mentions,
        aremove_members,
        asend_message,
        asend_to_room,
        asend_to_users,
        aset_room_preferences,
        aset_user_preferences,
        asign_out,
        create_room,
        delete_messages,
        edit_message,
        erase_user,
        export_user,
        list_mentions,
        remove_members,
        send_message,
        send_to_room,
        send_to_users,
        set_room_preferences,
        set_user_preferences,
        sign_out,
    )

__all__ = [
    "aadd_members",
    "acreate_room",
    "acting_as",
    "add_members",
    "adelete_messages",
    "aedit_message",
    "aerase_user",
    "aexport_user",
    "alist_mentions",
    "aremove_members",
    "asend_message",
    "asend_to_room",
    "asend_to_users",
    "aset_room_preferences",
    "aset_user_preferences",
    "asign_out",
    "create_room",
    "delete_messages",
    "edit_message",
    "erase_user",
    "export_user",
    "list_mentions",
    "remove_members",
    "send_message",
    "send_to_room",
    "send_to_users",
    "set_room_preferences",
    "set_user_preferences",
    "sign_out",
]


def __getattr__(name: str) -> Any:
    # Django imports this package before any model may be: the functions are found when asked for.
    if name in __all__:
        return getattr(import_module(".api", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
