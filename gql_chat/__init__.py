"""Chat for Django: rooms, messages, receipts, reactions and notifications as a GraphQL API.

Server code imports the functions that it calls from here: `from gql_chat import send_message`. See
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
        afind_users,
        aget_presence,
        alist_members,
        alist_rooms,
        alist_unread,
        amark_unread,
        apin_message,
        aread_room,
        aremove_members,
        asave_message,
        asend_message,
        asend_to_room,
        asend_to_users,
        aset_presence,
        asign_out,
        aunpin_message,
        aunread_totals,
        aunsave_message,
        create_room,
        delete_messages,
        edit_message,
        erase_user,
        export_user,
        find_users,
        get_presence,
        list_members,
        list_rooms,
        list_unread,
        mark_unread,
        pin_message,
        read_room,
        remove_members,
        save_message,
        send_message,
        send_to_room,
        send_to_users,
        set_presence,
        sign_out,
        unpin_message,
        unread_totals,
        unsave_message,
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
    "afind_users",
    "aget_presence",
    "alist_members",
    "alist_rooms",
    "alist_unread",
    "amark_unread",
    "apin_message",
    "aread_room",
    "aremove_members",
    "asave_message",
    "asend_message",
    "asend_to_room",
    "asend_to_users",
    "aset_presence",
    "asign_out",
    "aunpin_message",
    "aunread_totals",
    "aunsave_message",
    "create_room",
    "delete_messages",
    "edit_message",
    "erase_user",
    "export_user",
    "find_users",
    "get_presence",
    "list_members",
    "list_rooms",
    "list_unread",
    "mark_unread",
    "pin_message",
    "read_room",
    "remove_members",
    "save_message",
    "send_message",
    "send_to_room",
    "send_to_users",
    "set_presence",
    "sign_out",
    "unpin_message",
    "unread_totals",
    "unsave_message",
]


def __getattr__(name: str) -> Any:
    # Django imports this package before any model may be: the functions are found when asked for.
    if name in __all__:
        return getattr(import_module(".api", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
