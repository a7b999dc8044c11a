"""Renders events: executes the subscription's selection over the instances at hand."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLSchema
from graphql.execution.values import VariableValues

from ..conf import per_settings
from ..events import Event
from ..prepared.scopes import Scope
from ..prepared.selection import select_all
from .build import get_graphql_schema
from .documents import Document


def render_event(event: Event) -> dict[str, Any]:
    """Return all that the event's type in the schema selects, as plain objects."""
    return find_document(type(event).__name__).render(event)


class EventDocument(Document):
    """The document that selects all of an event.

    Args:
        schema: the schema it is for.
        kind: the name of the event's type.
    """

    def __init__(self, schema: GraphQLSchema, kind: str) -> None:
        selection = select_all(schema, kind)
        super().__init__(schema, f"subscription {{ events {{ ... on {kind} {selection} }} }}")
        self._complete = self._planner.plan_type(kind)

    def render(self, event: Event) -> dict[str, Any]:
        """Return what is selected of an event of the type."""
        rendered: dict[str, Any] = self._complete(event, Scope(event, None, _NOTHING))
        return rendered


_NOTHING = VariableValues({}, {})


@per_settings
def _documents() -> dict[str, EventDocument]:
    return {}


def find_document(kind: str) -> EventDocument:
    """Return the document that selects all of an event.

    Args:
        kind: the name of its type in the schema.

    Raises:
        KeyError: there is no such type.
        GraphQLError: the type is no event.
    """
    documents = _documents()
    if kind not in documents:
        documents[kind] = EventDocument(get_graphql_schema(), kind)
    return documents[kind]


def prepare() -> None:
    """Prepare the document of every event, so that no event pays for it."""
    for kind in get_graphql_schema().get_possible_types(
        get_graphql_schema().type_map["ChatEvent"]  # type: ignore[arg-type]
    ):
        find_document(kind.name)
