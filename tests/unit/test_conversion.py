"""Inputs convert what clients send themselves; they come to what Strawberry comes to."""

from typing import Any
from uuid import UUID

import pytest
import strawberry
from graphql import GraphQLInputObjectType, coerce_input_value
from strawberry.relay import GlobalID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_argument

from gql_chat.schema import get_schema
from gql_chat.schema.conversion import Conversion, convert_inputs
from gql_chat.schema.scalars import SCALARS

CONFIG = StrawberryConfig(auto_camel_case=False, scalar_map=SCALARS)
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
        if isinstance(each, GraphQLInputObjectType)
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


@strawberry.type
class Query:
    @strawberry.field
    def show(self, value: Outer) -> str:
        return repr(value)


def test_what_strawberry_wraps_is_wrapped() -> None:
    schema = strawberry.Schema(Query)
    convert_inputs(schema._schema)
    key = str(GlobalID("Thing", "7"))

    result = schema.execute_sync(
        "query ($value: Outer!) { show(value: $value) }",
        {"value": {"key": key, "inner": {"number": 1}, "many": [None, {"number": 2}], "maybe": 3}},
    )

    expected = Outer(
        key=GlobalID("Thing", "7"),
        inner=Inner(number=1),
        many=[None, Inner(number=2)],
        maybe=strawberry.Some(3),
    )
    assert result.errors is None
    assert result.data == {"show": repr(expected)}


def test_a_conversion_of_the_projects_own_stays() -> None:
    schema = strawberry.Schema(Query)
    definition = schema._schema.type_map["Inner"].extensions["strawberry-definition"]

    def convert(origin: Any, value: Any, context: Any) -> Any:
        return origin(number=-1)

    earlier, definition.from_input = definition.from_input, convert
    try:
        convert_inputs(schema._schema)
        assert definition.from_input is convert
    finally:
        definition.from_input = earlier
