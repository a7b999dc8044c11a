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

from .acting import acting_as
from .broadcasts import asend_to_room, asend_to_users, send_to_room, send_to_users
from .messages import (
    adelete_messages,
    aedit_message,
    alist_mentions,
    apin_message,
    asave_message,
    asend_message,
    aunpin_message,
    aunsave_message,
    delete_messages,
    edit_message,
    list_mentions,
    pin_message,
    save_message,
    send_message,
    unpin_message,
    unsave_message,
)
from .reading import (
    alist_unread,
    amark_unread,
    aread_room,
    aunread_totals,
    list_unread,
    mark_unread,
    read_room,
    unread_totals,
)
from .rooms import (
    aadd_members,
    acreate_room,
    add_members,
    alist_members,
    alist_rooms,
    aremove_members,
    create_room,
    list_members,
    list_rooms,
    remove_members,
)
from .users import (
    aerase_user,
    aexport_user,
    afind_users,
    aget_presence,
    aset_presence,
    aset_room_preferences,
    aset_user_preferences,
    asign_out,
    erase_user,
    export_user,
    find_users,
    get_presence,
    set_presence,
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
    "afind_users",
    "aget_presence",
    "alist_members",
    "alist_mentions",
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
    "aset_room_preferences",
    "aset_user_preferences",
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
    "list_mentions",
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
    "set_room_preferences",
    "set_user_preferences",
    "sign_out",
    "unpin_message",
    "unread_totals",
    "unsave_message",
]
