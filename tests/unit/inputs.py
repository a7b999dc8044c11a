"""Inputs, and values for them that fit or do not, made at random."""

from typing import Any

import strawberry
from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
)
from hypothesis import strategies as st

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
    """A query that takes such an input."""

    @strawberry.field
    def show(self, branch: Branch) -> str:
        """Return nothing."""
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
