"""Builds the schema out of the types that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLError, GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types import ExecutionContext
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from ..conf import chat_settings, per_settings
from . import serializers
from .descriptions import describe
from .parts import is_brought, parts
from .room_types import load_room_types
from .scalars import SCALARS
from .subscriptions import Subscription
from .users import is_shown


class ChatSchema(strawberry.Schema):
    """The schema of the nouns that the chat has, and of what the settings show."""

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Return the fields of a type.

        Those are left out that a noun brings which the chat has not, and those of users that the
        settings do not show.
        """
        fields = super().get_fields(type_definition)
        return [field for field in fields if is_brought(field) and is_shown(field)]

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log the errors that are nobody's fault but ours, without their texts.

        Strawberry would log each with its text, and with the document's text around it.
        """
        explain = chat_settings.load("EXCEPTION_HANDLER_CLASS")().handle
        for error in errors:
            if error.original_error is not None:
                explain(error.original_error)


SchemaT = TypeVar("SchemaT", bound=ChatSchema)


@per_settings
def get_schema() -> ChatSchema:
    """Return the whole schema, with a project's own types in the places of the defaults.

    Names are those of the wire: in snake case.

    Raises:
        ImproperlyConfigured: something of the project's cannot be used as declared.
    """
    return build_whole_schema(ChatSchema)


def build_whole_schema(schema_class: type[SchemaT], extensions: Sequence[Any] = ()) -> SchemaT:
    """Return a new schema of all that there is: of the socket's, and of records for tools.

    Args:
        schema_class: `ChatSchema` or a class derived from it.
        extensions: classes or factories of schema extensions. The optimizer of records is added.
    """
    # Not before: records need the models in use, and system checks, which say what is wrong with
    # them, import this package. And a worker that has no endpoint never imports strawberry-django,
    # which takes as long as all of this package.
    from .records import RecordQuery, optimizer

    return build_schema(schema_class, (*extensions, optimizer), [RecordQuery])


@per_settings
def get_graphql_schema() -> GraphQLSchema:
    """Return the socket's schema as graphql-core knows it: the whole schema without records."""
    return build_schema(ChatSchema)._schema


def build_schema(
    schema_class: type[SchemaT], extensions: Sequence[Any] = (), more: Sequence[type] = ()
) -> SchemaT:
    """Return a new schema of the types that the settings name.

    Args:
        schema_class: `ChatSchema` or a class derived from it.
        extensions: classes or factories of schema extensions.
        more: Strawberry types with queries beside those of the nouns.
    """
    # Raises what is wrong with it: a type that is built would hide that behind an error of its own.
    chat_settings.shows_of_users("id")
    serializers.install()
    handler = chat_settings.load("EVENT_HANDLER_CLASS")
    queries = [each for part in parts() for each in part.queries]
    mutations = [each for part in parts() for each in part.mutations]
    schema = schema_class(
        query=merge_types("Query", (*handler.queries, *queries, *more)),
        mutation=merge_types("Mutation", (*handler.mutations, *mutations)),
        subscription=Subscription,
        types=load_room_types(),
        extensions=extensions,
        config=StrawberryConfig(auto_camel_case=False, scalar_map=SCALARS),
    )
    describe(schema._schema)
    return schema
