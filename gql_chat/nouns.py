"""The nouns of chat: one table that says which operations and parts of the schema each brings.

A noun is a module of its name in each layer: `models`, `operations`, `schema`. The bridge lists its
events under the same name. What is not in the table is not in the schema.

Features go beyond the documented protocol. A feature brings nouns, or fields, operations and rights
to the nouns that are there. A project that leaves its name out of `FEATURES` has none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .conf import chat_settings


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
)
"""The nouns of the package, in the order of the schema."""


def find_nouns() -> tuple[Noun, ...]:
    """Return the nouns that the chat has: those of the protocol, and of the features in use."""
    return tuple(noun for noun in NOUNS if not noun.feature or has_feature(noun.feature))


def has_feature(name: str) -> bool:
    """Tell whether the project has a feature (`FEATURES`)."""
    return name in chat_settings.FEATURES


def has_part(name: str) -> bool:
    """Tell whether the chat has the noun, or the feature, of this name."""
    return has_feature(name) or any(name == noun.name for noun in find_nouns())
