"""Inputs convert what clients send themselves; they come to what Strawberry comes to."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import strawberry
from django.test import override_settings
from graphql import GraphQLInputObjectType, coerce_input_value
from strawberry.relay import GlobalID
from strawberry.types.arguments import InputContext, convert_argument
from strawberry.types.base import get_object_definition

from gql_chat.operations import EventHandler
from gql_chat.prepared.conversion import Conversion, SchemaConfig, convert_inputs
from gql_chat.schema import Document, get_schema
from gql_chat.schema.receipts import ReadInput
from gql_chat.schema.scalars import SCALARS

CONFIG = SchemaConfig(auto_camel_case=False, scalar_map=SCALARS)
ROOM, MESSAGE = "4cd1a7f2-26b1-4d6c-a3fd-51d3c2c8f9b1", "0b0cf65e-43c3-4e6b-95b8-9b9a1b1f2c3d"
MEDIA = {"media_url": "https://a.example/b", "media_type": "image", "mime_type": "image/png"}

VALUES: list[tuple[str, dict[str, Any]]] = [
    ("SendMessageInput", {"room_id": ROOM}),
    ("SendMessageInput", {"room_id": ROOM, "content": "hi", "client_id": None}),
    ("SendMessageInput", {"room_id": ROOM, "extra_fields": None}),
    ("SendMessageInput", {"room_id": ROOM, "extra_fields": {"parent_message_id": MESSAGE}}),
    ("SendMessageInput", {"room_id": ROOM, "extra_fields": {"media": None}}),
    ("SendMessageInput", {"room_id": ROOM, "extra_fields": {"media": [MEDIA, MEDIA]}}),
    ("MediaInput", MEDIA),
    ("MediaInput", {**MEDIA, "metadata": {"a": [1, None]}, "caption": "c", "file_size": 2**40}),
    ("ReadInput", {"message_id": [ROOM, MESSAGE]}),
    ("ReadInput", {"message_id": ROOM, "once": True}),
]


def converted(name: str, value: dict[str, Any], *, by_itself: bool) -> Any:
    """What Strawberry makes of a value, with or without the input's own conversion."""
    schema = get_schema()._schema
    kind: Any = schema.type_map[name]
    definitions = [
        each.extensions["strawberry-definition"]
        for each in schema.type_map.values()
        if isinstance(each, GraphQLInputObjectType) and "strawberry-definition" in each.extensions
    ]
    coerced = coerce_input_value(value, kind)
    kept = [definition.from_input for definition in definitions]
    assert all(isinstance(each, Conversion) for each in kept)
    if not by_itself:
        for definition in definitions:
            definition.from_input = None
    try:
        origin = kind.extensions["strawberry-definition"].origin
        scalars = get_schema().schema_converter.scalar_registry
        return convert_argument(coerced, origin, scalars, CONFIG)
    finally:
        for definition, conversion in zip(definitions, kept, strict=True):
            definition.from_input = conversion


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_an_input_is_what_strawberry_makes_of_it(name: str, value: dict[str, Any]) -> None:
    expected = converted(name, value, by_itself=False)

    assert converted(name, value, by_itself=True) == expected


def test_a_list_is_nobody_elses() -> None:
    value = {"message_id": [ROOM]}

    first, second = (converted("ReadInput", value, by_itself=True) for _ in range(2))

    assert first.message_id == [UUID(ROOM)]
    assert first.message_id is not second.message_id


@strawberry.input
class Inner:
    number: int


@strawberry.input
class Outer:
    key: GlobalID
    inner: Inner
    many: list[Inner | None] | None = None
    maybe: strawberry.Maybe[int | None]
    sure: strawberry.Maybe[int]


def test_what_strawberry_wraps_is_wrapped() -> None:
    """By an input as the package could have one."""
    schema = strawberry.Schema(make_query(Outer, Inner))
    context = InputContext(None, SchemaConfig(), schema.schema_converter.scalar_registry, ())
    kind: Any = schema._schema.type_map["Outer"]
    convert = Conversion(kind, get_object_definition(Outer, strict=True))
    value = {"key": str(GlobalID("Thing", "7")), "inner": {"number": 1}, "maybe": 3, "sure": 4}

    assert convert(Outer, {**value, "many": [None, {"number": 2}]}, context) == Outer(
        key=GlobalID("Thing", "7"),
        inner=Inner(number=1),
        many=[None, Inner(number=2)],
        maybe=strawberry.Some(3),
        sure=strawberry.Some(4),
    )


def make_query(outer: type, *others: type) -> type:
    """A query that shows what became of an input."""

    def show(value: Any) -> str:
        return repr(value)

    show.__annotations__["value"] = outer
    return strawberry.type(type("Query", (), {"show": strawberry.field(resolver=show)}))


# Schemas of a project's own


@strawberry.input
class OwnInput:
    """An input of a project's, which is in both its own schema and the package's."""

    first_name: str
    last_name: str | None = None
    sure: strawberry.Maybe[int]


@strawberry.type
class OwnMutations:
    @strawberry.mutation
    def greet(self, input: OwnInput) -> str:
        """Greet."""
        return repr(input)


@strawberry.type
class OwnQuery:
    nothing: str = ""


class OwnHandler(EventHandler):
    mutations = (OwnMutations,)


@pytest.fixture
def chat_schema() -> Iterator[strawberry.Schema]:
    with override_settings(REALTIME_CHAT_MESSAGING={"EVENT_HANDLER_CLASS": OwnHandler}):
        yield get_schema()


def test_an_input_of_a_projects_is_in_its_own_schema_what_strawberry_makes_of_it(
    chat_schema: strawberry.Schema,
) -> None:
    given = get_object_definition(OwnInput, strict=True)
    assert "greet" in chat_schema._schema.mutation_type.fields  # type: ignore[union-attr]
    own = strawberry.Schema(OwnQuery, OwnMutations)
    text = "mutation ($input: OwnInput!) { greet(input: $input) }"

    named = own.execute_sync(text, {"input": {"firstName": "Ada", "lastName": "L"}})
    null = own.execute_sync('mutation { greet(input: {firstName: "A", sure: null}) }')
    document = Document(chat_schema._schema, text)
    in_chat = document.execute({"input": {"first_name": "Ada", "last_name": "L"}})

    assert given.from_input is None
    assert named.data == {"greet": repr(OwnInput(first_name="Ada", last_name="L", sure=None))}
    assert in_chat == named.data
    assert null.errors
    assert "cannot be explicitly set to null" in null.errors[0].message


def test_an_input_of_the_packages_is_in_a_projects_schema_what_strawberry_makes_of_it(
    chat_schema: strawberry.Schema,
) -> None:
    schema = strawberry.Schema(make_query(ReadInput))
    assert isinstance(get_object_definition(ReadInput, strict=True).from_input, Conversion)

    result = schema.execute_sync(
        "query ($value: ReadInput!) { show(value: $value) }", {"value": {"messageId": [ROOM]}}
    )

    assert result.data == {"show": repr(ReadInput(message_id=[UUID(ROOM)]))}


def test_a_conversion_of_the_projects_own_stays(chat_schema: strawberry.Schema) -> None:
    definition = get_object_definition(OwnInput, strict=True)

    def convert(origin: Any, value: Any, context: Any) -> Any:
        return origin(first_name="by itself", sure=None)

    definition.from_input = convert
    try:
        convert_inputs(chat_schema._schema, "gql_chat")
        assert definition.from_input is convert
    finally:
        definition.from_input = None
