"""Renders events: executes the subscription's selection over the instances at hand."""

from __future__ import annotations

from typing import Any

from ..conf import per_settings
from ..events import Event
from .build import get_graphql_schema
from .documents import Document
from .selection import select_all


def render_event(event: Event) -> dict[str, Any]:
    """Return all that the event's type in the schema selects, as plain objects."""
    data = find_document(type(event).__name__).execute(root=event)
    rendered: dict[str, Any] = data["events"]
    return rendered


@per_settings
def _documents() -> dict[str, Document]:
    return {}


def find_document(kind: str) -> Document:
    """Return the document that selects all of an event.

    Args:
        kind: the name of its type in the schema.

    Raises:
        KeyError: there is no such type.
        GraphQLError: the type is no event.
    """
    documents = _documents()
    if kind not in documents:
        schema = get_graphql_schema()
        selection = select_all(schema, kind)
        text = f"subscription {{ events {{ ... on {kind} {selection} }} }}"
        documents[kind] = Document(schema, text)
    return documents[kind]


def prepare() -> None:
    """Prepare the document of every event, so that no event pays for it."""
    for kind in get_graphql_schema().get_possible_types(
        get_graphql_schema().type_map["ChatEvent"]  # type: ignore[arg-type]
    ):
        find_document(kind.name)
