"""The protocol's events: the requests of clients, and the frames that clients are sent.

Each noun has one entry. A feature to come adds an entry of its own and puts it into `EVENTS`.
"""

from __future__ import annotations

from functools import partial

from gql_chat.conf import per_settings
from gql_chat.nouns import find_nouns, has_feature
from gql_chat.schema import own_events

from .declarations import (
    EVERYTHING,
    Choice,
    Data,
    Dispatch,
    Events,
    Fields,
    Operation,
    Reply,
    Route,
)
from .fitting import fit_list, fit_messages, fit_room_page, fit_rooms
from .presence import unwatch, watch

_NEWEST = ("data",)
_BY_CURSOR = ("has_next", "has_previous", "size", "data")
_BY_NUMBER = (
    "has_next",
    "has_previous",
    "next_page_number",
    "prev_page_number",
    "page",
    "size",
    "data",
)


def _page_form(data: Data) -> Fields:
    """Return the fields that describe a page of messages: only if a page was asked for."""
    paginate = data.get("paginate")
    if paginate is None:
        return _NEWEST
    return _BY_CURSOR if paginate.get("page") is None else _BY_NUMBER


def _is_single(data: Data) -> bool:
    """Tell whether the event names one message by itself: then it must not have been read yet."""
    return not isinstance(data.get("message_id"), list)


def _leaders(mutation: str, leaders: str) -> Operation:
    return Operation(mutation, arguments={"leaders": leaders})


_SENT = Dispatch("message.dispatch", "message")

MESSAGES = Events(
    routes={
        "message.send": Operation(
            "send_message",
            select="{ original Message.* }",
            # A repeated client_id is answered with the message of the first time.
            answer=Reply(_SENT.name, part="original"),
        ),
        "message.typing": Operation("type_in"),
        "message.modify": Choice(
            "action",
            {
                "update": Operation("edit_message", select="{ id }"),
                "delete": Operation("delete_messages"),
            },
        ),
        "room.messages": Operation(
            "room_messages",
            select=EVERYTHING,
            answer=Reply(
                "roommessages.dispatch",
                forms=(_NEWEST, _BY_CURSOR, _BY_NUMBER),
                choose=_page_form,
            ),
            fit=fit_messages,
        ),
    },
    dispatches={
        "MessageSent": _SENT,
        "MessageEdited": Dispatch("messagemodification.dispatch"),
        "MessagesDeleted": Dispatch("messagemodification.dispatch"),
        "Typing": Dispatch("messagetyping.dispatch", stored=False),
    },
)

RECEIPTS = Events(
    routes={
        "message.acknowledged": Operation("acknowledge_messages"),
        "message.read": Operation("read_messages", refine={"once": _is_single}),
    },
    dispatches={
        "MessagesDelivered": Dispatch("messagedelivered.dispatch", "messages"),
        "MessagesRead": Dispatch("readreceipt.dispatch", "messages", unwraps=True),
    },
)

REACTIONS = Events(
    routes={
        "message.react": Choice(
            "type",
            {"add": Operation("add_reaction"), "remove": Operation("remove_reaction")},
        ),
    },
    dispatches={"MessageReacted": Dispatch("reaction.dispatch")},
)

PINS = Events(
    routes={
        "message.pin": Operation("pin_message"),
        "message.unpin": Operation("unpin_message"),
        "room.pins": Operation(
            "room_pins",
            select=EVERYTHING,
            answer=Reply("roompins.dispatch"),
            fit=partial(fit_list, "pins"),
        ),
    },
    dispatches={"MessagePinned": Dispatch("messagepin.dispatch")},
)

SAVES = Events(
    routes={
        "message.save": Operation("save_message"),
        "message.unsave": Operation("unsave_message"),
        "saved.list": Operation(
            "saved_messages",
            select=EVERYTHING,
            answer=Reply("savedlist.dispatch"),
            fit=partial(fit_list, "saved"),
        ),
    },
    dispatches={"MessageSaved": Dispatch("messagesave.dispatch")},
)

ROOMS = Events(
    routes={
        "room.create": Operation("create_room", select="{ id }"),
        "room.list": Operation(
            "rooms",
            select=EVERYTHING,
            needs_data=False,
            answer=Reply("roomlist.dispatch"),
            fit=fit_rooms,
        ),
        "room.info": Operation("room", select=EVERYTHING, answer=Reply("roominfo.dispatch")),
        "room.modify": Choice(
            "action",
            {
                "update": Operation("update_room"),
                "delete": Operation("delete_room"),
                "add_admin": _leaders("add_leaders", "admins"),
                "remove_admin": _leaders("remove_leaders", "admins"),
                "add_moderator": _leaders("add_leaders", "moderators"),
                "remove_moderator": _leaders("remove_leaders", "moderators"),
                "add_permission": Operation("add_permissions"),
                "remove_permission": Operation("remove_permissions"),
            },
        ),
    },
    dispatches={
        "RoomCreated": Dispatch("roomcreate.dispatch", "room"),
        "RoomUpdated": Dispatch("roomupdate.dispatch", "room"),
        "RoomDeleted": Dispatch("roomdelete.dispatch"),
    },
)

MEMBERS = Events(
    routes={
        "room.join": Operation("join_room"),
        "room.leave": Operation("leave_room"),
        "room.add_members": Operation("add_members"),
        "room.remove_members": Operation("remove_members"),
    },
    dispatches={
        "RoomExited": Dispatch("roomexit.dispatch"),
        "MembersAdded": Dispatch("roomaddmembers.dispatch"),
        "MembersRemoved": Dispatch("roomremovemembers.dispatch"),
    },
)

ACCOUNTS = Events(routes={}, dispatches={"UserErased": Dispatch("usererase.dispatch")})

NOTIFICATION_PAGES = Events(
    routes={
        "notification.list": Operation(
            "notification_page",
            select=EVERYTHING,
            answer=Reply("notificationlist.dispatch"),
            fit=partial(fit_list, "notifications"),
        ),
    },
)

PRESENCE = Events(
    routes={
        "presence.subscribe": Operation(
            "watched_presence",
            select=EVERYTHING,
            answer=Reply("presence.dispatch", part="presence"),
            settle=watch,
        ),
        "presence.unsubscribe": Operation("unwatched_presence", needs_data=False, settle=unwatch),
        "presence.set": Operation("set_presence"),
    },
    dispatches={"PresenceChanged": Dispatch("presence.dispatch", stored=False)},
)

ROOM_PAGES = Events(
    routes={
        # In place of the one that knows no pages.
        "room.list": Operation(
            "room_page",
            select=EVERYTHING,
            needs_data=False,
            answer=Reply("roomlist.dispatch", unpaged=("data", "rooms")),
            fit=fit_room_page,
        ),
    },
)

MENTIONS = Events(
    routes={
        "mention.list": Operation(
            "mention_page",
            select=EVERYTHING,
            answer=Reply("mentionlist.dispatch"),
            fit=partial(fit_list, "mentions"),
        ),
    },
)

MEMBER_PAGES = Events(
    routes={
        "room.members": Operation(
            "room_members",
            select=EVERYTHING,
            answer=Reply("roommembers.dispatch"),
            fit=partial(fit_list, "members"),
        ),
    },
)

PEOPLE = Events(
    routes={
        "user.find": Operation(
            "find_users",
            select=EVERYTHING,
            answer=Reply("userfind.dispatch"),
            fit=partial(fit_list, "users"),
        ),
    },
)

READ_MARKERS = Events(
    routes={
        "room.read": Operation("read_room"),
        "room.unread": Operation("mark_unread"),
        "unread.list": Operation(
            "unread_list", select=EVERYTHING, answer=Reply("unreadlist.dispatch")
        ),
    },
    dispatches={
        "RoomRead": Dispatch("roomread.dispatch"),
        "UnreadChanged": Dispatch("unread.dispatch"),
    },
)

_ROOM_PREFERENCES = Dispatch("roompreferences.dispatch", "preferences")
_USER_PREFERENCES = Dispatch("userpreferences.dispatch", "preferences")

PREFERENCES = Events(
    routes={
        "room.preferences": Operation(
            "set_room_preferences",
            select="{ unchanged RoomPreferences.* }",
            # Whoever reads, or changes nothing, is answered alone.
            answer=Reply(_ROOM_PREFERENCES.name, part="unchanged"),
        ),
        "user.preferences": Operation(
            "set_user_preferences",
            select="{ unchanged UserPreferences.* }",
            answer=Reply(_USER_PREFERENCES.name, part="unchanged"),
        ),
    },
    dispatches={
        "RoomPreferencesChanged": _ROOM_PREFERENCES,
        "UserPreferencesChanged": _USER_PREFERENCES,
    },
)


EVENTS = {
    "messages": MESSAGES,
    "receipts": RECEIPTS,
    "reactions": REACTIONS,
    "pins": PINS,
    "saves": SAVES,
    "rooms": ROOMS,
    "members": MEMBERS,
    "presence": PRESENCE,
    "read_markers": READ_MARKERS,
    "mentions": MENTIONS,
    "preferences": PREFERENCES,
    "accounts": ACCOUNTS,
    "notification_pages": NOTIFICATION_PAGES,
    "room_pages": ROOM_PAGES,
    "member_pages": MEMBER_PAGES,
    "people": PEOPLE,
}
"""The events of every noun that has some, by its name in `gql_chat.nouns`."""

LIFECYCLE: dict[str, Route] = {
    "open": Operation("open_session", select=EVERYTHING),
    "close": Operation("close_session"),
    "heartbeat": Operation("heartbeat", needs_data=False),
}
"""The operations that the socket itself asks for: on connecting, a heartbeat and closing."""

ACTIVITY: dict[str, Route] = {"activity": Operation("set_activity")}
"""What it asks for when the client says whether somebody sits there."""


def map_lifecycle() -> dict[str, Route]:
    """Return what the socket itself asks for, as far as the features in use have it."""
    return {**LIFECYCLE, **(ACTIVITY if has_feature("presence") else {})}


def map_events() -> dict[str, Route]:
    """Return the protocol's events and what each asks for.

    A project's own function (`EVENT_MAPPER`) may call this one, and add, replace and remove.
    """
    known = [EVENTS[noun.name] for noun in find_nouns() if noun.name in EVENTS]
    return {name: route for events in known for name, route in events.routes.items()}


DISPATCHES: dict[str, Dispatch] = {
    kind: dispatch for events in EVENTS.values() for kind, dispatch in events.dispatches.items()
}
"""Every event of the package, and the frame it becomes."""


@per_settings
def dispatches() -> dict[str, Dispatch]:
    """Return how each event becomes a frame, the project's own events included.

    An event of the project's own names its frame in an attribute `dispatch`. Without one, the
    frame has the name of the class in small letters, with `.dispatch` behind it.
    """
    own = {
        event.__name__: Dispatch(getattr(event, "dispatch", _name(event.__name__)))
        for event in own_events()
    }
    return DISPATCHES | own


def left_out() -> frozenset[str]:
    """Return the events of nouns that the chat has not. The log may still hold some."""
    names = {noun.name for noun in find_nouns()}
    return frozenset(
        kind for name, events in EVENTS.items() if name not in names for kind in events.dispatches
    )


def find_dispatch(kind: str) -> Dispatch:
    """Return how an event becomes a frame.

    This process may have no class for the event: another one may have sent it, or the log may have
    kept it for long. It becomes a frame all the same: a stream must not lack a sequence number.

    Args:
        kind: the name of the event's type in the schema.
    """
    return dispatches().get(kind) or Dispatch(_name(kind))


def _name(kind: str) -> str:
    return f"{kind.lower()}.dispatch"
