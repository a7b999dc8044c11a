"""Values are coerced as graphql-core coerces them."""

from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLNonNull,
    Undefined,
    coerce_input_value,
)
from hypothesis import given
from hypothesis import strategies as st

from gql_chat.prepared.coercion import coercer
from gql_chat.schema import get_schema


@strawberry.input
class Branch:
    """An input within itself, with every kind of field."""

    number: int
    word: str = "word"
    maybe: str | None = None
    unset: int | None = strawberry.UNSET
    numbers: list[int] | None = None
    inner: "Branch | None" = None


@strawberry.type
class Query:
    @strawberry.field
    def show(self, branch: Branch) -> str:
        return ""


KINDS: dict[str, GraphQLInputObjectType] = {
    name: kind
    for schema in (get_schema(), strawberry.Schema(Query))
    for name, kind in schema._schema.type_map.items()
    if isinstance(kind, GraphQLInputObjectType)
}

KINDS["Choice"] = GraphQLInputObjectType(
    "Choice",
    {"left": GraphQLInputField(GraphQLInt), "right": GraphQLInputField(KINDS["Branch"])},
    is_one_of=True,
)

LEAVES: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(max_size=3),
    st.uuids().map(str),
    st.just("2026-01-01T00:00:00Z"),
)


@st.composite
def values(draw: Any, kind: GraphQLInputObjectType, depth: int = 2) -> Any:
    """Objects with fields of an input, and now and then something else."""
    shape = draw(st.integers(0, 5))
    if shape == 0:
        return draw(LEAVES)
    found: dict[str, Any] = {"strange": 1} if shape == 1 else {}
    for name, field in kind.fields.items():
        if draw(st.booleans()):
            found[name] = draw(fillings(field.type, depth))
    return found


@st.composite
def fillings(draw: Any, kind: Any, depth: int) -> Any:
    """What may stand in a field: a value of its type, a list of such, or something else."""
    named = kind
    while hasattr(named, "of_type"):
        named = named.of_type
    nested = isinstance(named, GraphQLInputObjectType) and depth
    one = values(named, depth - 1) if nested else LEAVES
    shape = draw(st.integers(0, 3))
    if shape == 0:
        return draw(LEAVES)
    return draw(st.lists(one, max_size=2) if shape == 1 else one)


def same(one: Any, other: Any) -> bool:
    return one is other if Undefined in (one, other) else bool(repr(one) == repr(other))


@pytest.mark.parametrize("name", sorted(KINDS))
@given(data=st.data())
def test_a_value_is_what_graphql_core_makes_of_it(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    value = data.draw(values(kind))

    assert same(coercer(kind)(value), coerce_input_value(value, kind))
    required = GraphQLNonNull(kind)
    assert same(coercer(required)(value), coerce_input_value(value, required))


BRANCHES: list[tuple[Any, bool]] = [
    ({"number": 1}, True),
    ({"number": 1, "word": "a", "maybe": None, "numbers": [1, 2]}, True),
    ({"number": 1, "numbers": 3}, True),
    ({"number": 1, "inner": {"number": 2, "inner": {"number": 3}}}, True),
    ({}, False),
    ({"number": None}, False),
    ({"number": "1"}, False),
    ({"number": 1, "other": 2}, False),
    ({"number": 1, "word": None}, False),
    ({"number": 1, "numbers": [None]}, False),
    ({"number": 1, "inner": {"number": 2, "inner": {}}}, False),
    ("text", False),
    ([{"number": 1}], False),
]


@pytest.mark.parametrize(("value", "fits"), BRANCHES)
def test_what_fits_and_what_does_not(value: Any, fits: bool) -> None:
    kind = KINDS["Branch"]

    found = coercer(kind)(value)

    assert (found is not Undefined) is fits
    assert same(found, coerce_input_value(value, kind))


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"left": 1}, True),
        ({"left": 1, "right": None}, False),
        ({}, False),
        ({"left": None}, False),
    ],
)
def test_of_a_choice_one_is_needed(value: Any, fits: bool) -> None:
    assert (coercer(KINDS["Choice"])(value) is not Undefined) is fits
