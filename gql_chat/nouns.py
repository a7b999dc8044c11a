"""The nouns of chat: one table that says which operations and parts of the schema each brings.

A noun is a module of its name in each layer: `models`, `operations`, `schema`. The bridge lists its
events under the same name. The schema has nothing of a noun that is not in the table.

Features go beyond the documented protocol. A feature brings nouns, or fields, operations and rights
to the nouns that are there. A project that leaves its name out of `FEATURES` has none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from .conf import SETTING, chat_settings


@dataclass(frozen=True, slots=True)
class Noun:
    """One noun.

    Attributes:
        name: its name, in the plural.
        operations: the dotted path of the class with its operations, a base of `EventHandler`.
        schema: the dotted path of its part of the schema: a module that names its `QUERIES`,
            `MUTATIONS` and `EVENTS`.
        settings: the settings that are its own.
        feature: the feature that brings it; empty for the documented protocol.
    """

    name: str
    operations: str
    schema: str
    settings: tuple[str, ...] = ()
    feature: str = ""


NOUNS = (
    Noun(
        "messages",
        "gql_chat.operations.messages.MessageOperations",
        "gql_chat.schema.messages",
        ("MAX_MESSAGE_LENGTH", "MAX_MEDIA_ITEMS", "MAX_PAGE_SIZE", "MESSAGE_SOFT_DELETE"),
    ),
    Noun(
        "receipts",
        "gql_chat.operations.receipts.ReceiptOperations",
        "gql_chat.schema.receipts",
    ),
    Noun(
        "reactions",
        "gql_chat.operations.reactions.ReactionOperations",
        "gql_chat.schema.reactions",
    ),
    Noun(
        "pins",
        "gql_chat.operations.pins.PinOperations",
        "gql_chat.schema.pins",
        ("MAX_PINS",),
        feature="pins",
    ),
    Noun(
        "saves",
        "gql_chat.operations.saves.SaveOperations",
        "gql_chat.schema.saves",
        ("MAX_SAVED",),
        feature="pins",
    ),
    Noun("rooms", "gql_chat.operations.rooms.RoomOperations", "gql_chat.schema.rooms"),
    Noun("members", "gql_chat.operations.members.MemberOperations", "gql_chat.schema.members"),
    Noun(
        "notifications",
        "gql_chat.operations.notifications.NotificationOperations",
        "gql_chat.schema.notifications",
        ("ENABLE_NOTIFICATION", "MAX_NOTIFICATIONS"),
    ),
    Noun(
        "sessions",
        "gql_chat.operations.sessions.SessionOperations",
        "gql_chat.schema.sessions",
        ("INACTIVITY_THRESHOLD", "MAX_SESSIONS_PER_USER"),
    ),
    Noun(
        "presence",
        "gql_chat.operations.presence.PresenceOperations",
        "gql_chat.schema.presence",
        ("PRESENCE_GRACE", "MAX_PRESENCE_USERS", "MAX_PRESENCE_ROOMS", "MAX_WATCHED_USERS"),
        feature="presence",
    ),
    Noun(
        "read_markers",
        "gql_chat.operations.read_markers.ReadMarkerOperations",
        "gql_chat.schema.read_markers",
        ("MAX_UNREAD_COUNT", "MAX_RECEIPT_MEMBERS"),
        feature="read_markers",
    ),
    Noun(
        "mentions",
        "gql_chat.operations.mentions.MentionOperations",
        "gql_chat.schema.mentions",
        ("MAX_MENTIONS", "MAX_HERE", "MENTION_ALL_FREELY"),
        feature="mentions",
    ),
    Noun(
        "preferences",
        "gql_chat.operations.preferences.PreferenceOperations",
        "gql_chat.schema.preferences",
        feature="room_preferences",
    ),
    Noun(
        "accounts",
        "gql_chat.operations.accounts.AccountOperations",
        "gql_chat.schema.accounts",
        feature="erasure",
    ),
    Noun(
        "notification_pages",
        "gql_chat.operations.notifications.NotificationOperations",
        "gql_chat.schema.notification_pages",
        feature="pages",
    ),
    Noun(
        "room_pages",
        "gql_chat.operations.room_pages.RoomPageOperations",
        "gql_chat.schema.room_pages",
        feature="pages",
    ),
    Noun(
        "member_pages",
        "gql_chat.operations.member_pages.MemberPageOperations",
        "gql_chat.schema.member_pages",
        ("MAX_MEMBERS_SHOWN", "MAX_RECEIPTS_SHOWN"),
        feature="pages",
    ),
    Noun(
        "people",
        "gql_chat.operations.people.PeopleOperations",
        "gql_chat.schema.people",
        ("FIND_ALL_USERS", "FIND_RATE_LIMIT"),
        feature="pages",
    ),
)
"""The nouns of the package, in the order of the schema."""


def find_nouns() -> tuple[Noun, ...]:
    """Return the nouns that the chat has: those of the protocol, and of the features in use."""
    return tuple(noun for noun in NOUNS if not noun.feature or has_feature(noun.feature))


def has_feature(name: str) -> bool:
    """Tell whether the project has a feature (`FEATURES`)."""
    return name in chat_settings.FEATURES


def require_feature(name: str) -> None:
    """Refuse to do what a feature brings where the project has not that feature.

    Clients cannot ask for it: their events and operations are unknown then. Server code can.

    Raises:
        ImproperlyConfigured: `FEATURES` does not name it.
    """
    if not has_feature(name):
        raise ImproperlyConfigured(
            f"{SETTING}['FEATURES'] does not name {name!r}. Add it to use this."
        )


def has_part(name: str) -> bool:
    """Tell whether the chat has the noun, or the feature, of this name."""
    return has_feature(name) or any(name == noun.name for noun in find_nouns())
