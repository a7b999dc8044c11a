"""Operations: how the events of clients run.

An event is a document, its variables and its answer. The documents are built from the schema, so
that what a project adds to a type is in the frames. They are prepared once. A project's
`EVENT_MAPPER` finds all that it needs in this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
)

from gql_chat.conf import chat_settings, per_settings
from gql_chat.errors import Invalid
from gql_chat.schema import (
    Context,
    Document,
    find_markup,
    get_graphql_schema,
    rendering,
    select_all,
)
from gql_chat.streams import Envelope

from .declarations import (
    EVERYTHING,
    Answer,
    Choice,
    Data,
    Fields,
    Operation,
    Reply,
    Route,
    no_reply,
    operations_of,
)
from .events import map_events, map_lifecycle

__all__ = [
    "EVERYTHING",
    "Answer",
    "Choice",
    "Operation",
    "Prepared",
    "Reply",
    "Route",
    "Table",
    "events",
    "lifecycle",
    "map_events",
    "no_reply",
    "operations_of",
    "prepare",
]

BARE_LISTS = frozenset({"message_id"})
"""Lists of inputs in which an item may stand without its list: GraphQL allows it everywhere."""


class Prepared:
    """An operation whose document is ready to run.

    Attributes:
        operation: what was asked for.
        field: the schema's field of that name.
        selection: what is selected of its result; empty for a leaf.
        input: the type of its `input`, if it has one.

    Raises:
        LookupError: the schema has no such operation.
        GraphQLError: it lacks something that the document selects.
    """

    def __init__(self, schema: GraphQLSchema, operation: Operation) -> None:
        self.operation = operation
        kind, found = _find_field(schema, operation.name)
        selection = re.sub(
            r"\b([A-Za-z]+)\.\*", lambda match: select_all(schema, match[1]), operation.select
        )
        if selection == EVERYTHING:
            selection = select_all(schema, get_named_type(found.type).name)
        self.field, self.selection = found, selection
        declared = ", ".join(f"${name}: {arg.type}" for name, arg in found.args.items())
        passed = ", ".join(f"{name}: ${name}" for name in found.args)
        self.document = Document(
            schema,
            f"{kind}{f'({declared})' if declared else ''} {{ {operation.name}"
            f"{f'({passed})' if passed else ''} {selection} }}",
        )
        self.input: GraphQLInputObjectType | None = None
        self._lists: tuple[Fields, ...] = ()
        if "input" in found.args:
            expected = get_named_type(found.args["input"].type)
            assert isinstance(expected, GraphQLInputObjectType)
            self.input = expected
            self._lists = tuple(_find_lists(expected))

    def variables(self, data: Data) -> dict[str, Any]:
        """Return the document's variables for an event's data; what is not known is left out."""
        variables = dict(self.operation.arguments)
        if self.input is not None:
            fields = self.input.fields
            known = {name: value for name, value in data.items() if name in fields}
            for path in self._lists:
                _check_list(known, path)
            refined = {name: follow(data) for name, follow in self.operation.refine.items()}
            variables["input"] = {**known, **refined}
        return variables

    def find_markup(self, data: Data) -> str | None:
        """Return the content of an event's data that is cleaned before it runs, or None."""
        return find_markup(self.operation.name, data)

    def run(self, data: Data, context: Context) -> tuple[Any, list[Envelope]]:
        """Run the operation on a database thread.

        Returns:
            Its result, and what was committed, to be published.

        Raises:
            Exception: as `Document.perform`.
        """
        result, envelopes = self.document.perform(self.variables(data), context=context)
        return result[self.operation.name], envelopes


def _find_lists(expected: GraphQLInputObjectType) -> Iterable[Fields]:
    """Return the paths of an input's lists in which no item may stand without its list."""
    for name, found in expected.fields.items():
        if isinstance(get_nullable_type(found.type), GraphQLList):
            if name not in BARE_LISTS:
                yield (name,)
        elif isinstance(named := get_named_type(found.type), GraphQLInputObjectType):
            yield from ((name, *path) for path in _find_lists(named))


def _check_list(data: Data, path: Fields) -> None:
    value: Any = data
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if value is not None and not isinstance(value, list):
        raise Invalid({".".join(path): "A list is needed."})


def _find_field(schema: GraphQLSchema, name: str) -> tuple[str, GraphQLField]:
    for kind, root in (("mutation", schema.mutation_type), ("query", schema.query_type)):
        if root is not None and name in root.fields:
            return kind, root.fields[name]
    raise LookupError(f"The schema has no operation {name!r}.")


class Table:
    """Every event with its prepared operation.

    Args:
        schema: the schema that the documents are for.
        routes: what each event asks for.
    """

    def __init__(self, schema: GraphQLSchema, routes: Mapping[str, Route]) -> None:
        self._routes = dict(routes)
        self._prepared = {
            id(operation): Prepared(schema, operation)
            for route in routes.values()
            for operation in operations_of(route)
        }

    @property
    def routes(self) -> Mapping[str, Route]:
        """What each event asks for."""
        return self._routes

    def prepared(self, operation: Operation) -> Prepared:
        """Return an operation of the table, ready to run."""
        return self._prepared[id(operation)]

    def __contains__(self, event_type: str) -> bool:
        return event_type in self._routes

    def find(self, event_type: str, data: Any) -> Prepared:
        """Return the operation that an event asks for.

        Raises:
            KeyError: there is no such event.
            Invalid: the data is no object where one is needed, or chooses no operation.
        """
        route = self._routes[event_type]
        if isinstance(route, Choice):
            operation = _choose(route, _as_object(data))
        else:
            if route.needs_data:
                _as_object(data)
            operation = route
        return self._prepared[id(operation)]


def _as_object(data: Any) -> Data:
    if not isinstance(data, dict):
        raise Invalid({"data": "An object is needed."})
    return data


def _choose(choice: Choice, data: Data) -> Operation:
    value = data.get(choice.field)
    if not isinstance(value, str) or value not in choice.options:
        raise Invalid({choice.field: f"One of {', '.join(choice.options)} is needed."})
    return choice.options[value]


@per_settings
def events() -> Table:
    """Return the table of the project's events, its documents prepared."""
    routes = chat_settings.load("EVENT_MAPPER")()
    return Table(get_graphql_schema(), routes)


@per_settings
def lifecycle() -> Table:
    """Return the table of what the socket itself asks for, its documents prepared."""
    return Table(get_graphql_schema(), map_lifecycle())


def prepare() -> None:
    """Prepare every document, so that no event and no connection waits for it."""
    events()
    lifecycle()
    rendering.prepare()
