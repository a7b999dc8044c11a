"""Plans: a prepared document answers what graphql-core's executor answers."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import orjson
import pytest
import strawberry
from django.db import transaction
from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    build_schema,
    execute,
    get_named_type,
    is_leaf_type,
    is_object_type,
    parse,
    validate,
)
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gql_chat.prepared.errors import Unplannable
from gql_chat.schema import Document
from gql_chat.schema.rendering import EventDocument
from tests.conftest import Users
from tests.unit.scenes import CASES, Scene, run

from .pets import ROOT, SCHEMA, SLEEPY, Row


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ pets { __typename ... on Cat { name mood toy } ... on Dog { walks } } }", {}),
        ("{ pets { ... on Animal { name } } }", {}),
        ("{ pets { ... { ... on Cat { kittens { name mood toy loud } } } } }", {}),
        ("query ($n: Int) { few: pets(first: $n) { __typename } }", {"n": 1}),
        ("query ($n: Int) { few: pets(first: $n) { __typename } }", {}),
        ("query ($n: Int! = 1) { animal(number: $n) { name } }", {}),
        ("query ($n: Int! = 1) { animal(number: $n) { name } }", {"n": 7}),
        ("{ animal { ... on Cat { owner who: owner } } pets { ... on Dog { name } } }", {}),
        ('{ animal { ... on Cat { call loudly: call(times: 3, sound: "miau") } } }', {}),
        ("query ($s: String) { animal { ... on Cat { call(sound: $s) } } }", {"s": "brr"}),
    ],
)
def test_a_plan_answers_as_the_executor_does(text: str, variables: dict[str, Any]) -> None:
    document = Document(SCHEMA, text)
    expected = execute(SCHEMA, document.node, ROOT, "the context", variables)

    assert not expected.errors
    assert document.execute(variables, root=ROOT, context="the context") == expected.data


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (Row("cat", None), "Cat.name"),  # type: ignore[arg-type]
        (Row("cat", "Tom", mood=None), "Cat.mood"),
        (Row("cat", "Tom", kittens=(None,)), "Cat.kittens"),
        (Row("fish", "Nemo"), "Row"),
    ],
)
def test_what_the_schema_does_not_allow_is_an_error_that_names_it(row: Row, named: str) -> None:
    document = Document(SCHEMA, "{ pets { ... on Cat { name mood kittens { name } } } }")

    with pytest.raises(Exception, match=named):
        document.execute(root=[row])


ABSTRACT = ("I0", "U0")


LEAVES = {"Int": GraphQLInt, "String": GraphQLString, "ID": GraphQLID, "Boolean": GraphQLBoolean}


@st.composite
def schemas(draw: Any) -> GraphQLSchema:
    """Three types with fields of every kind, of which two are an interface's and a union's."""
    interface = {"own": "String", "other": draw(st.sampled_from(["I0", "U0", "T2", "[I0]"]))}
    fields = {
        name: {
            **(interface if name != "T2" else {"own": "Int"}),
            **{f"f{number}": draw(kinds()) for number in range(draw(st.integers(1, 3)))},
        }
        for name in ("T0", "T1", "T2")
    }

    def write(fields: dict[str, str]) -> str:
        return "{ " + " ".join(f"{name}: {kind}" for name, kind in fields.items()) + " }"

    schema = build_schema(
        f"interface I0 {write(interface)} union U0 = T1 | T2 type Query {write(fields['T0'])}"
        f"type T0 implements I0 {write(fields['T0'])} type T1 implements I0 {write(fields['T1'])}"
        f"type T2 {write(fields['T2'])}"
    )
    for name in draw(st.sets(st.sampled_from(["T0", "T1", "T2"]))):
        kind: Any = schema.type_map[name]
        kind.is_type_of = lambda value, info, name=name: value.get("__typename") == name
    return schema


def kinds() -> Any:
    """Types as they are written: of leaves, of objects, in lists, required or not."""
    named = st.sampled_from([*LEAVES, "T0", "T1", "T2", *ABSTRACT])
    wrapped = st.sampled_from(["{}", "{}!", "[{}]", "[{}!]", "[{}]!", "[[{}!]]"])
    return st.builds(str.format, wrapped, named)


@st.composite
def filled(draw: Any, schema: GraphQLSchema, kind: Any, depth: int) -> Any:
    """A value of a type; now and then one that is none."""
    shape = draw(st.integers(0, 20))
    if shape == 0:
        return draw(st.sampled_from([None, Undefined, ValueError("no"), "text", 7, {}]))
    if isinstance(kind, GraphQLNonNull):
        return draw(filled(schema, kind.of_type, depth))
    if isinstance(kind, GraphQLList):
        items = draw(st.lists(filled(schema, kind.of_type, depth), max_size=2))
        return draw(st.sampled_from([items, tuple(items)]))
    if is_leaf_type(kind):
        plain: dict[str, Any] = {"Int": st.integers(0, 9), "Boolean": st.booleans()}
        return draw(plain.get(kind.name, st.text("ab", max_size=2)))
    if depth == 0:
        return None
    possible = [kind] if is_object_type(kind) else schema.get_possible_types(kind)
    found: Any = draw(st.sampled_from(possible))
    # Lazily: most of it is not asked for.
    return {
        "__typename": found.name,
        **{
            name: draw(filled(schema, field.type, depth - 1))
            for name, field in found.fields.items()
        },
    }


class Documents:
    """Makes documents for a schema."""

    def __init__(self, draw: Any, schema: GraphQLSchema) -> None:
        self.draw = draw
        self.schema = schema
        self.fragments: dict[str, str] = {}

    def write(self) -> str:
        selection = self.select(self.schema.query_type, 2)
        return " ".join([selection, *self.fragments.values()])

    def select(self, kind: Any, depth: int) -> str:
        count = self.draw(st.integers(1, 4))
        return "{ " + " ".join(self.part(kind, depth) for _ in range(count)) + " }"

    def part(self, kind: Any, depth: int) -> str:
        shape = self.draw(st.integers(0, 7))
        condition = self.draw(
            st.sampled_from(["", "", "", " @skip(if: false)", " @include(if: false)"])
        )
        if shape > 1 or depth == 0:
            return self.field(kind, condition, depth)
        possible = set(self.possible(kind))
        named = [
            name
            for name in ("T0", "T1", "T2", *ABSTRACT)
            if possible.intersection(self.possible(self.schema.type_map[name]))
        ] or [kind.name]
        on = self.draw(st.sampled_from(named))
        inner = self.select(self.schema.type_map[on], depth - 1)
        if shape == 0:
            return f"... on {on}{condition} {inner}"
        name = f"F{len(self.fragments)}"
        self.fragments[name] = f"fragment {name} on {on} {inner}"
        again = self.draw(st.sampled_from(["", f" ...{name}"]))
        return f"...{name}{condition}{again}"

    def possible(self, kind: Any) -> list[str]:
        if is_object_type(kind):
            return [kind.name]
        return [each.name for each in self.schema.get_possible_types(kind)]

    def field(self, kind: Any, condition: str, depth: int) -> str:
        fields = {} if kind.name == "U0" else kind.fields
        known = ["__typename", *(name for name in fields if depth or self.is_leaf(fields[name]))]
        name = self.draw(st.sampled_from(known))
        # Now and then two fields shall have one name.
        alias = self.draw(st.sampled_from(["", "", f"{name}_: ", f"{name[0]}_: "]))
        inner = ""
        if name != "__typename" and not self.is_leaf(fields[name]):
            inner = f" {self.select(get_named_type(fields[name].type), depth - 1)}"
        return f"{alias}{name}{condition}{inner}"

    @staticmethod
    def is_leaf(field: Any) -> bool:
        return is_leaf_type(get_named_type(field.type))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_plan_answers_as_the_executor_does_or_is_refused(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    text = Documents(data.draw, schema).write()
    root = {
        name: data.draw(filled(schema, field.type, 2))
        for name, field in schema.query_type.fields.items()  # type: ignore[union-attr]
    }
    try:
        document = Document(schema, text)
    except Unplannable:
        event("refused")
        # Nothing is refused that graphql-core would answer.
        assert validate(schema, parse(text))
        return
    expected: Any = execute(schema, document.node, root)

    if expected.errors:
        event("an error")
        with pytest.raises(Exception):  # noqa: B017, PT011 (whatever it is, it is not silent)
            document.execute(root=root)
    else:
        event("an answer")
        # With their keys in the same order.
        assert orjson.dumps(document.execute(root=root)) == orjson.dumps(expected.data)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{ sleepy { dream } }", r"Sleepy\.dream is a coroutine function"),
        ("{ sleeper { name } }", r"Sleeper\.is_type_of is a coroutine function"),
        ("{ __schema { types { name } } }", "__schema"),
        ("query ($on: Boolean!) { echo @include(if: $on) }", "@include .*variable"),
        ("query ($on: Boolean!) { ... @skip(if: $on) { echo } }", "@skip .*variable"),
        ("{ a: echo a: __typename }", r"SleepyQuery is asked for echo\(\) and __typename\(\)"),
        ('{ echo(text: "a") echo(text: "b") }', r'echo\(text: "a"\) and echo\(text: "b"\)'),
    ],
)
def test_what_cannot_be_planned_is_refused_when_it_is(text: str, named: str) -> None:
    with pytest.raises(Unplannable, match=named):
        Document(SLEEPY, text)


def test_a_directive_of_a_projects_is_refused() -> None:
    schema = build_schema("directive @loud on FIELD | QUERY type Query { name: String }")

    for text in ("{ name @loud }", "query @loud { name }"):
        with pytest.raises(Unplannable, match="@loud"):
            Document(schema, text)


def test_a_mutation_shows_what_each_of_its_fields_left() -> None:
    @strawberry.type
    class Counter:
        count: int
        name: str

    @strawberry.type
    class Query:
        nothing: str

    @strawberry.type
    class Mutation:
        @strawberry.mutation
        def add(self, info: strawberry.Info) -> Counter:
            info.root_value.count += 1
            return info.root_value

    schema = strawberry.Schema(query=Query, mutation=Mutation)._schema
    document = Document(schema, "mutation { a: add { count name } b: add { count name } }")

    answer = document.execute(root=Counter(count=0, name="n"))

    assert [answer[key]["count"] for key in "ab"] == [1, 2]


@pytest.fixture(scope="module")
def scene(committed_database: None) -> Iterator[Scene]:
    """A scene in a transaction that nothing is left of."""
    users = Users(lambda work, *args, **kwargs: work(*args, **kwargs))
    with transaction.atomic():
        yield Scene(users, 3)
        transaction.set_rollback(True)


@pytest.mark.parametrize("case", CASES)
def test_the_package_answers_as_the_executor_does(case: str, scene: Scene) -> None:
    planned, rendered = Document.execute, EventDocument.render
    compared = []

    def both(
        document: Document, variables: Any = None, *, root: Any = None, context: Any = None
    ) -> dict[str, Any]:
        answer = planned(document, variables, root=root, context=context)
        if not document.writes:
            expected = execute(document.schema, document.node, root, context, variables)
            assert not expected.errors
            assert answer == expected.data
            compared.append(document.text)
        return answer

    def render_both(document: EventDocument, event: Any) -> dict[str, Any]:
        answer = rendered(document, event)
        expected = execute(document.schema, document.node, event)
        assert not expected.errors
        assert {"events": answer} == expected.data
        compared.append(document.text)
        return answer

    with (
        patch.object(Document, "execute", both),
        patch.object(EventDocument, "render", render_both),
        transaction.atomic(),
    ):
        run(scene, case)
        transaction.set_rollback(True)

    quiet = {"message.acknowledged many", "open", "close", "heartbeat"}
    quiet |= {"presence.set", "activity"}
    assert compared or case in quiet
