"""Renders events: executes the subscription's selection over the instances at hand."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLSchema, get_named_type
from graphql.execution.values import VariableValues

from ..conf import per_settings
from ..events import Event, MessageSent
from ..models import get_model
from ..prepared.scopes import Scope
from ..prepared.selection import select_all
from .build import get_graphql_schema
from .documents import Document


def render_event(event: Event) -> dict[str, Any]:
    """Return all that the event's type in the schema selects, as plain objects."""
    return find_document(type(event).__name__).render(event)


def show_nobody() -> dict[str, Any]:
    """Return who frames show as the sender of a message whose sender was erased."""
    schema = get_graphql_schema()
    shown: Any = schema.type_map["MessageSent"]
    for name in ("message", "sender"):
        shown = get_named_type(shown.fields[name].type)
    selection = f"{{ message {{ sender {select_all(schema, shown.name)} }} }}"
    document = EventDocument(schema, "MessageSent", selection)
    sender: dict[str, Any] = document.render(MessageSent(get_model("Message")()))["message"][
        "sender"
    ]
    return sender


class EventDocument(Document):
    """The document that selects all of an event, or some of it.

    Args:
        schema: the schema it is for.
        kind: the name of the event's type.
        selection: what is selected; all, if it is left out.
    """

    def __init__(self, schema: GraphQLSchema, kind: str, selection: str = "") -> None:
        selection = selection or select_all(schema, kind)
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
