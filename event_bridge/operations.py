"""The table from the protocol's events to the operations of the schema.

An event is a document, its variables and its answer. The documents are built from the
schema, so that what a project adds to a type is in the frames; they are prepared once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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

from .protocol import DISPATCHES

Data = Mapping[str, Any]
Answer = tuple[str, Any] | None
"""The `eventType` and `data` of a private answer; None where there is none."""

EVERYTHING = "*"
"""Selects all of what a field returns."""

BARE_LISTS = frozenset({"message_id"})
"""Lists of inputs in which an item may stand without its list: GraphQL allows it everywhere."""

Fields = tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """A private answer: the result of an operation, or a part of it, under an `eventType`.

    Attributes:
        event_type: the answer's name.
        part: the field of the result that is the answer's `data`; the whole result if empty.
            Where it is null there is no answer.
        forms: the sets of fields that the answer may have, where not always all.
        choose: takes the event's data and returns the form of its answer.
    """

    event_type: str
    part: str = ""
    forms: tuple[Fields, ...] = ()
    choose: Callable[[Data], Fields] | None = None

    def __call__(self, result: Any, data: Data) -> Answer:
        """Return the answer to an event with this data."""
        found = result[self.part] if self.part else result
        if found is None:
            return None
        if self.choose is not None:
            found = {name: found[name] for name in self.choose(data)}
        return self.event_type, found


def no_reply(result: Any, data: Data) -> Answer:
    """Answer nothing: the event is confirmed, if the client asked for that."""
    return None


@dataclass(frozen=True)
class Operation:
    """One operation of the schema, as an event asks for it.

    Attributes:
        name: that of the query or mutation.
        select: what of its result the answer needs: a selection, `EVERYTHING`, or nothing.
            In a selection `Message.*` stands for all that the type has.
        needs_data: whether the event has to carry an object as `data`.
        arguments: arguments of the field besides `input`, fixed for this event.
        refine: fields of `input` that are no client's to set: how each follows from the data.
        answer: takes the result and the event's data; returns the private answer. The export
            of the events describes a `Reply`; of another function it knows nothing.
    """

    name: str
    select: str = ""
    needs_data: bool = True
    arguments: Data = field(default_factory=dict)
    refine: Mapping[str, Callable[[Data], Any]] = field(default_factory=dict)
    answer: Callable[[Any, Data], Answer] = no_reply


@dataclass(frozen=True)
class Choice:
    """An event that asks for different operations, by one field of its data.

    Attributes:
        field: the field.
        options: the operation for each of its values.
    """

    field: str
    options: Mapping[str, Operation]
    needs_data: bool = True


Route = Operation | Choice


class Prepared:
    """An operation whose document is ready to run.

    Attributes:
        operation: what was asked for.
        field: the schema's field of that name.
        selection: what is selected of its result; empty for a leaf.
        input: the type of its `input`, if it has one.

    Raises:
        LookupError: the schema has no such operation.
        GraphQLError: it has not what the document selects.
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
        """Return what has to be cleaned of an event's data before it runs; None if nothing."""
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


def operations_of(route: Route) -> Iterable[Operation]:
    """Return the operations that an event may ask for."""
    return route.options.values() if isinstance(route, Choice) else (route,)


def _as_object(data: Any) -> Data:
    if not isinstance(data, dict):
        raise Invalid({"data": "An object is needed."})
    return data


def _choose(choice: Choice, data: Data) -> Operation:
    value = data.get(choice.field)
    if not isinstance(value, str) or value not in choice.options:
        raise Invalid({choice.field: f"One of {', '.join(choice.options)} is needed."})
    return choice.options[value]


_NEWEST = ("data",)
_BY_CURSOR = ("has_next", "has_previous", "size", "data")
_BY_NUMBER = (
    "has_next",
    "has_previous",
    "next_page_number",
    "prev_page_number",
    "page",
    "size",
    "data",
)


def _page_form(data: Data) -> Fields:
    """Return what describes a page of messages: only if one was asked for."""
    paginate = data.get("paginate")
    if paginate is None:
        return _NEWEST
    return _BY_CURSOR if paginate.get("page") is None else _BY_NUMBER


def _is_single(data: Data) -> bool:
    """Tell whether a message is named by itself: then it must not have been read before."""
    return not isinstance(data.get("message_id"), list)


def _leaders(mutation: str, leaders: str) -> Operation:
    return Operation(mutation, arguments={"leaders": leaders})


def map_events() -> dict[str, Route]:
    """Return the protocol's events and what each asks for.

    A project's own function (`EVENT_MAPPER`) may call this one, and add, replace and remove.
    """
    return {
        "message.send": Operation(
            "send_message",
            select="{ original Message.* }",
            # A repeated client_id is answered with the message of the first time.
            answer=Reply(DISPATCHES["MessageSent"].name, part="original"),
        ),
        "message.acknowledged": Operation("acknowledge_messages"),
        "message.read": Operation("read_messages", refine={"once": _is_single}),
        "message.react": Choice(
            "type",
            {"add": Operation("add_reaction"), "remove": Operation("remove_reaction")},
        ),
        "message.typing": Operation("type_in"),
        "message.modify": Choice(
            "action",
            {
                "update": Operation("edit_message", select="{ id }"),
                "delete": Operation("delete_messages"),
            },
        ),
        "room.create": Operation("create_room", select="{ id }"),
        "room.list": Operation(
            "rooms",
            select=EVERYTHING,
            needs_data=False,
            answer=Reply("roomlist.dispatch"),
        ),
        "room.info": Operation("room", select=EVERYTHING, answer=Reply("roominfo.dispatch")),
        "room.messages": Operation(
            "room_messages",
            select=EVERYTHING,
            answer=Reply(
                "roommessages.dispatch",
                forms=(_NEWEST, _BY_CURSOR, _BY_NUMBER),
                choose=_page_form,
            ),
        ),
        "notification.list": Operation(
            "notification_page",
            select=EVERYTHING,
            answer=Reply("notificationlist.dispatch"),
        ),
        "room.join": Operation("join_room"),
        "room.leave": Operation("leave_room"),
        "room.add_members": Operation("add_members"),
        "room.remove_members": Operation("remove_members"),
        "room.modify": Choice(
            "action",
            {
                "update": Operation("update_room"),
                "delete": Operation("delete_room"),
                "add_admin": _leaders("add_leaders", "admins"),
                "remove_admin": _leaders("remove_leaders", "admins"),
                "add_moderator": _leaders("add_leaders", "moderators"),
                "remove_moderator": _leaders("remove_leaders", "moderators"),
                "add_permission": Operation("add_permissions"),
                "remove_permission": Operation("remove_permissions"),
            },
        ),
    }


OPEN_SESSION = Operation("open_session", select=EVERYTHING)
CLOSE_SESSION = Operation("close_session")
HEARTBEAT = Operation("heartbeat", needs_data=False)

LIFECYCLE: dict[str, Route] = {
    "open": OPEN_SESSION,
    "close": CLOSE_SESSION,
    "heartbeat": HEARTBEAT,
}
"""What the socket itself asks for, on connecting, on a heartbeat and on closing."""


@per_settings
def events() -> Table:
    """Return the table of the project's events, its documents prepared."""
    routes = chat_settings.load("EVENT_MAPPER")()
    return Table(get_graphql_schema(), routes)


@per_settings
def lifecycle() -> Table:
    """Return the table of what the socket itself asks for, its documents prepared."""
    return Table(get_graphql_schema(), LIFECYCLE)


def prepare() -> None:
    """Prepare every document, so that no event and no connection waits for it."""
    events()
    lifecycle()
    rendering.prepare()
