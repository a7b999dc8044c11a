"""The nouns of chat: one table that says which operations and parts of the schema each brings.

A noun is a module of its name in each layer: `models`, `operations`, `schema`. The bridge lists its
events under the same name. What is not in the table is not in the schema.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """One noun.

    Attributes:
        name: its name, in the plural.
        operations: the dotted path of the class with its operations, a base of `EventHandler`.
        schema: the dotted path of its part of the schema: a module that names its `QUERIES`,
            `MUTATIONS` and `EVENTS`.
        settings: the settings that are its own.
    """

    name: str
    operations: str
    schema: str
    settings: tuple[str, ...] = ()


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
)
"""The nouns of the package, in the order of the schema."""


def find_nouns() -> tuple[Noun, ...]:
    """Return the nouns that the chat has."""
    return NOUNS
