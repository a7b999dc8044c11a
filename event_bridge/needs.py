"""Needs: a project's schema must have what the protocol and its documents need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLError, GraphQLNamedType, GraphQLObjectType, GraphQLSchema, get_named_type
from graphql.type import is_required_argument

from gql_chat.conf import SERIALIZERS, chat_settings
from gql_chat.schema import Unplannable, get_graphql_schema, rendering

from .declarations import operations_of
from .events import dispatches, left_out, map_lifecycle
from .operations import Prepared

NEEDED: dict[str, tuple[str, ...]] = {
    "User": ("id", "username"),
    "Message": ("id", "room.id", "sender", "content", "created_at"),
    "QuotedMessage": ("id", "room.id", "sender", "content"),
    "Attachment": ("id", "media_url", "media_type"),
    "ReadReceipt": ("reader", "read_at"),
    "Reaction": ("id", "user", "reaction_content"),
    "Notification": ("id", "notification_type", "message"),
    "RoomProperty": ("preferences",),
    "OneToOneChat": ("type", "id", "participants"),
    "GroupChat": ("type", "id", "name", "participants"),
    "Channel": ("type", "id", "name", "subscribers"),
    "OneToOneChatSummary": ("type", "id", "last_message", "peer"),
    "GroupChatSummary": ("type", "id", "last_message", "name"),
    "ChannelSummary": ("type", "id", "last_message", "name"),
}
"""The fields that each object has to show. Without them a client cannot understand a frame.

Keys are those of `SERIALIZERS`; a dot leads into a nested object. The rest is a project's to drop.
"""


def find_problems() -> list[CheckMessage]:
    """Return the needed fields that types lack, and the events that cannot run."""
    try:
        schema = get_graphql_schema()
    except ImproperlyConfigured:
        return []  # Another check of gql_chat names what it is.
    except Exception as error:
        message = f"The GraphQL schema cannot be built: {error}"
        return [Error(message, hint="Look at the types in SERIALIZERS.", id="event_bridge.E011")]
    routes = chat_settings.load("EVENT_MAPPER")()
    problems: list[CheckMessage] = list(_missing_fields(schema))
    for name, route in {**map_lifecycle(), **routes}.items():
        for operation in operations_of(route):
            try:
                Prepared(schema, operation)
            except Unplannable as error:
                problems.append(
                    _unplannable(f"The operation {operation.name!r} of {name!r}", error)
                )
            except (LookupError, GraphQLError) as error:
                text = f"The event {name!r} cannot run {operation.name!r}: {error}"
                problems.append(Error(text, id="event_bridge.E013"))
    problems += _dispatch_problems(schema)
    return problems


def _missing_fields(schema: GraphQLSchema) -> Iterator[CheckMessage]:
    """Yield the needed fields that the types of the settings do not show."""
    for name in SERIALIZERS:
        serializer = chat_settings.load_serializer(name)
        found = _find_type(schema, serializer)
        for path in NEEDED.get(name, ()) if found is not None else ():
            if not _shows(found, path.split(".")):
                yield Error(
                    f"The type {serializer.__module__}.{serializer.__qualname__} has no field "
                    f"{path!r}, which the event protocol needs of a {name}.",
                    hint=f"Add it, or derive the type from gql_chat.schema.types.{name}. "
                    f"It is SERIALIZERS[{name!r}] of REALTIME_CHAT_MESSAGING.",
                    id="event_bridge.E012",
                )


def _find_type(schema: GraphQLSchema, serializer: Any) -> GraphQLNamedType | None:
    """Return a class's type in the schema; None where nothing leads to it."""
    for found in schema.type_map.values():
        definition = found.extensions.get("strawberry-definition")
        if getattr(definition, "origin", None) is serializer:
            return found
    return None


def _shows(found: GraphQLNamedType | None, path: list[str]) -> bool:
    """Tell whether frames show a field of a type: a field that needs an argument is left out."""
    if not path:
        return True
    if not isinstance(found, GraphQLObjectType) or path[0] not in found.fields:
        return False
    field = found.fields[path[0]]
    if any(is_required_argument(argument) for argument in field.args.values()):
        return False
    return _shows(get_named_type(field.type), path[1:])


def _dispatch_problems(schema: GraphQLSchema) -> Iterator[CheckMessage]:
    """Yield the dispatches whose documents do not fit the schema."""
    for kind in (kind for kind in dispatches() if kind not in left_out()):
        try:
            rendering.find_document(kind)
        except Unplannable as error:
            yield _unplannable(f"The event {kind}", error)
        except (KeyError, GraphQLError) as error:
            yield Error(f"The event {kind} cannot be rendered: {error}", id="event_bridge.E014")


def _unplannable(what: str, error: Unplannable) -> CheckMessage:
    return Error(
        f"{what} cannot be prepared: {error.message}",
        hint="Operations run on database threads, by documents that are prepared when the server "
        "starts: docs/architecture.md says what these may ask for.",
        id="event_bridge.E015",
    )
