"""Answers: what is read off an object, and what a resolver is called for."""

from operator import attrgetter
from typing import Any

import pytest
import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission

from gql_chat.prepared.answers import find_reader
from gql_chat.prepared.fields import DerivedField
from gql_chat.schema import Document, derived, get_schema

from .pets import Row


def test_extensions_and_permissions_of_a_field_are_asked() -> None:
    class Loud(FieldExtension):
        def resolve(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
            return next_(source, info, **kwargs).upper()

    class Nobody(BasePermission):
        message = "Not you."

        def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
            return False

    @strawberry.type
    class Query:
        name: str = strawberry.field(extensions=[Loud()])
        secret: str = strawberry.field(permission_classes=[Nobody])
        quiet: str = DerivedField(
            extensions=[Loud()], metadata=derived(attrgetter("name")).metadata
        )

    schema = strawberry.Schema(query=Query)._schema
    root = Row("cat", "Tom")

    assert Document(schema, "{ name quiet }").execute(root=root) == {"name": "TOM", "quiet": "TOM"}
    with pytest.raises(Exception, match="Not you"):
        Document(schema, "{ secret }").execute(root=root)


def test_most_fields_are_read_without_a_resolver() -> None:
    """What Strawberry marks such fields with is its own."""
    fields: Any = get_schema()._schema.type_map["Message"].fields  # type: ignore[attr-defined]

    assert all(find_reader(fields[name]) for name in ("id", "content", "created_at", "sender"))
