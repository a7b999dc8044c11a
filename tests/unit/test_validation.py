"""What is wrong with a value is found where graphql-core finds it, and said in few words."""

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    Undefined,
    build_schema,
)
from graphql.utilities import validate_input_value
from hypothesis import given, settings
from hypothesis import strategies as st

from gql_chat.errors import Invalid
from gql_chat.prepared.validation import (
    MOST_PROBLEMS,
    NO_OBJECT,
    NOT_ONE,
    NULL,
    REQUIRED,
    UNKNOWN,
    describe,
    find_problems,
)
from gql_chat.schema import Document, get_schema
from tests.unit.inputs import KINDS, fillings


@pytest.mark.parametrize("name", sorted(KINDS))
@settings(max_examples=15)
@given(data=st.data())
def test_problems_are_found_where_graphql_core_finds_them(name: str, data: st.DataObject) -> None:
    kind: Any = KINDS[name]
    kind = data.draw(
        st.sampled_from([kind, GraphQLNonNull(kind), GraphQLList(GraphQLNonNull(kind))])
    )
    value = data.draw(st.one_of(fillings(kind, 2), st.just(Undefined)))
    expected: Counter[tuple[Any, ...]] = Counter()
    validate_input_value(value, kind, lambda _, path: expected.update([tuple(path)]), True)

    found = Counter(
        # graphql-core reports what is missing or unknown at the object around it.
        steps[:-1] if steps and problem in (REQUIRED, UNKNOWN) else steps
        for steps, problem in find_problems(kind, value)
    )
    assert found == expected
    assert bool(describe(kind, value)) is bool(expected)


INPUT = GraphQLInputObjectType(
    "Input",
    lambda: {
        "number": GraphQLInputField(GraphQLNonNull(GraphQLInt)),
        "inner": GraphQLInputField(INPUT),
        "many": GraphQLInputField(GraphQLList(GraphQLNonNull(INPUT))),
        "choice": GraphQLInputField(KINDS["Choice"]),
    },
)


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({}, {"number": REQUIRED}),
        ({"number": None}, {"number": NULL}),
        ({"number": 1, "other": 2}, {"other": UNKNOWN}),
        ([], {"data": NO_OBJECT}),
        ({"number": 1, "inner": 2}, {"inner": NO_OBJECT}),
        ({"number": 1, "inner": {"x": 1}}, {"inner.number": REQUIRED, "inner.x": UNKNOWN}),
        (
            {"number": 1, "many": [{"number": 1}, None, {}]},
            {"many.1": NULL, "many.2.number": REQUIRED},
        ),
        ({"number": 1, "choice": {}}, {"choice": NOT_ONE}),
        ({"number": 1, "choice": {"left": None}}, {"choice.left": NOT_ONE}),
        ({"number": "x"}, {"number": "Int cannot represent non-integer value: 'x'"}),
    ],
)
def test_each_problem_is_said_at_its_field(value: Any, problems: dict[str, str]) -> None:
    assert describe(INPUT, value) == problems


def test_a_sentence_of_a_scalars_is_told_and_none_is_read() -> None:
    """Also one that reads like graphql-core's about something else."""
    text = "Expected value of type 'X' to include required field 'sent_by', found: 1."

    def refuse(value: Any) -> Any:
        raise ValueError(text)

    scalar = GraphQLScalarType("Strict", coerce_input_value=refuse)
    kind = GraphQLInputObjectType("Given", {"at": GraphQLInputField(scalar)})

    assert describe(kind, {"at": 1}) == {"at": text}


LONG = "x" * 100_000


@pytest.mark.parametrize("name", ["UUID", "Int", "Timestamp", "Boolean", "UserID", "Bytes"])
@pytest.mark.parametrize(
    "value",
    [LONG, [LONG], {LONG: LONG}, LONG[:150], 10**5000],
    ids=["text", "list", "object", "shorter", "number"],
)
def test_little_of_a_long_value_is_repeated(name: str, value: Any) -> None:
    kind: Any = get_schema()._schema.type_map[name]

    described = describe(GraphQLNonNull(kind), value)

    assert all(len(problem) <= 100 for problem in described.values())
    assert described or name == "UserID"


def test_little_of_a_long_name_is_repeated() -> None:
    ((path, problem),) = describe(INPUT, {"number": 1, LONG: 1}).items()

    assert problem == UNKNOWN
    assert len(path) == 100


def test_a_client_is_told_so_many_problems() -> None:
    assert len(describe(GraphQLList(GraphQLInt), ["x"] * 10_000)) == MOST_PROBLEMS


def test_the_words_about_a_short_value_are_whole() -> None:
    uuid = get_schema()._schema.type_map["UUID"]
    wrong = str(uuid4())[:-1]

    (problem,) = describe(uuid, wrong).values()  # type: ignore[arg-type]
    assert wrong in problem
    assert "hexadecimal" in problem


def test_a_document_says_what_is_wrong_with_each_variable() -> None:
    schema = build_schema("type Query { add(one: Int!, two: Int! = 2, three: Int): Int }")
    variables = "$one: Int!, $two: Int! = 2, $three: Int"
    text = f"query ({variables}) {{ add(one: $one, two: $two, three: $three) }}"
    document = Document(schema, text)

    for given_, problems in (
        ({}, {"data": REQUIRED}),
        ({"one": 1, "two": None}, {"data": NULL}),
        ({"one": 1, "three": "x"}, {"data": "Int cannot represent non-integer value: 'x'"}),
    ):
        with pytest.raises(Invalid) as refused:
            document.execute(given_)
        assert refused.value.detail == problems
    assert document.execute({"one": 1}, root={"add": 3}) == {"add": 3}
