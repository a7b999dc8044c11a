"""Plans: a prepared document answers what graphql-core's executor answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Annotated, Any
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
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission

from gql_chat.prepared.fields import DerivedField
from gql_chat.prepared.plans import Unplannable, _read
from gql_chat.schema import Document, derived, get_schema
from gql_chat.schema.rendering import EventDocument
from tests.conftest import Users
from tests.unit.scenes import CASES, Scene, run

# A schema with one of everything


@strawberry.enum
class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


@strawberry.interface
class Animal:
    name: str


@strawberry.type
class Cat(Animal):
    is_type_of = classmethod(lambda cls, value, info: value.kind == "cat")
    mood: Mood
    kittens: list["Cat"]
    toy: str | None
    loud: str = derived(lambda cat: cat.name.upper())

    @strawberry.field
    def owner(self, info: strawberry.Info) -> str:
        return f"{info.context} at {info.field_name}"

    @strawberry.field
    def call(self, times: int = 2, sound: str | None = None) -> str:
        return f"{sound} " * times


@strawberry.type
class Dog(Animal):
    is_type_of = classmethod(lambda cls, value, info: value.kind == "dog")
    walks: list[list[int | None]]


Pet = Annotated[Cat | Dog, strawberry.union("Pet")]


@strawberry.type
class Query:
    @strawberry.field
    def pets(self, info: strawberry.Info, first: int | None = None) -> list[Pet]:
        return info.root_value[:first]

    @strawberry.field
    def animal(self, info: strawberry.Info, number: int = 0) -> Animal | None:
        return info.root_value[number] if number < len(info.root_value) else None


@dataclass
class Row:
    """What a resolver returns: no instance of any type of the schema."""

    kind: str
    name: str
    mood: Mood | None = Mood.GOOD
    kittens: tuple[Any, ...] = ()
    toy: str | None = None
    walks: tuple[tuple[int | None, ...], ...] = ()


ROOT = [
    Row("cat", "Tom", kittens=(Row("cat", "Kit", Mood.BAD, toy="ball"),)),
    Row("dog", "Rex", walks=((1, None), ())),
]
SCHEMA = strawberry.Schema(query=Query, types=[Cat, Dog])._schema


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


def test_an_object_of_leaves_is_read_once_however_often_it_stands_in_an_answer() -> None:
    class Counted(Row):
        reads = 0

        def __getattribute__(self, name: str) -> Any:
            if name == "toy":
                Counted.reads += 1
            return super().__getattribute__(name)

    kitten = Counted("cat", "Kit", Mood.BAD, toy="ball")
    root = [Row("cat", "Tom", kittens=(kitten, kitten)), Row("cat", "Tim", kittens=(kitten,))]
    kittens = "kittens { name mood toy } all: kittens { name mood toy }"
    document = Document(SCHEMA, f"{{ pets {{ ... on Cat {{ name {kittens} }} }} }}")
    one, two = [[{"name": "Kit", "mood": "BAD", "toy": "ball"}] * count for count in (1, 2)]

    answer = document.execute(root=root)

    assert answer["pets"] == [
        {"name": "Tom", "kittens": two, "all": two},
        {"name": "Tim", "kittens": one, "all": one},
    ]
    assert Counted.reads == 1
    # By one execution, that is.
    document.execute(root=root)
    assert Counted.reads == 2


def test_objects_that_are_made_while_they_are_read_do_not_stand_for_each_other() -> None:
    @strawberry.type
    class Point:
        x: int
        y: int

    @strawberry.type
    class Path:
        start: Point = derived(lambda number: Point(x=number, y=0))

    @strawberry.type
    class Query:
        paths: list[Path] = derived(lambda root: range(root))

    document = Document(strawberry.Schema(query=Query)._schema, "{ paths { start { x y } } }")

    starts = [path["start"] for path in document.execute(root=100)["paths"]]
    assert starts == [{"x": number, "y": 0} for number in range(100)]


# Schemas and documents of any kind

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


MERGED = [
    "{ pets { ... on Cat { kittens { name } kittens { mood } } } }",
    "{ pets { ... on Cat { a: name a: name } ...on Animal { a: name } } }",
    "{ animal { name } animal { ... on Cat { mood } } }",
    "{ pets { ...F } } fragment F on Pet { ...G name2: __typename } fragment G on Cat { toy name }",
    "{ pets { ... on Cat { name @skip(if: true) toy @include(if: true) } ... on Dog { name } } }",
    "{ pets { ... on Cat @include(if: false) { name } __typename } }",
    "{ pets { ... on Cat { ...F @skip(if: true) ...F } } } fragment F on Cat { name }",
    '{ animal { ... on Cat { call(times: 1, sound: "a") call(sound: "a", times: 1) } } }',
]


@pytest.mark.parametrize("text", MERGED)
def test_what_is_asked_for_twice_is_answered_once_with_all(text: str) -> None:
    document = Document(SCHEMA, text)
    expected: Any = execute(SCHEMA, document.node, ROOT)

    assert not expected.errors
    assert document.execute(root=ROOT) == expected.data


# What is refused


@strawberry.type
class Sleepy:
    """Nothing of it can be had without waiting."""

    name: str

    @strawberry.field
    async def dream(self) -> str:
        return "of mice"


async def is_type_of(cls: Any, value: Any, info: Any) -> bool:
    return True


Sleeper = strawberry.type(
    type(
        "Sleeper",
        (),
        {"__annotations__": {"name": str}, "is_type_of": classmethod(is_type_of)},
    )
)


@strawberry.type
class SleepyQuery:
    sleepy: Sleepy = derived(lambda root: root)
    sleeper: Sleeper | None = derived(lambda root: root)

    @strawberry.field
    def echo(self, text: str = "") -> str:
        return text


SLEEPY = strawberry.Schema(query=SleepyQuery)._schema


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


async def later() -> str:
    return "now"


class Awaitable:
    def __await__(self) -> Any:
        yield from later().__await__()


@pytest.mark.parametrize("make", [later, Awaitable])
@pytest.mark.parametrize("kind", ["ID", "ID!", "Any", "[Any]", "[[Any!]]", "T", "T!", "[T!]!"])
def test_what_would_have_to_be_awaited_is_no_answer(make: Any, kind: str) -> None:
    schema = build_schema(f"scalar Any type T {{ name: String }} type Query {{ it: {kind} }}")
    document = Document(schema, "{ it { name } }" if "T" in kind else "{ it }")
    value = make()
    for _ in range(kind.count("[")):
        value = [value]

    with pytest.raises(TypeError, match=r"Query\.it returned '(coroutine|Awaitable)'"):
        document.execute(root={"it": value})


@pytest.mark.parametrize("make", [later, Awaitable])
@pytest.mark.parametrize("name", ["key", "maybe", "other", "others"])
def test_nor_is_it_one_where_it_is_read(make: Any, name: str) -> None:
    @strawberry.type
    class Query:
        key: strawberry.ID = derived(lambda root: make())
        maybe: strawberry.ID | None = derived(lambda root: make())
        other: Sleepy = derived(lambda root: make())
        others: list[Sleepy] = derived(lambda root: [make()])

    inner = " { name }" if name.startswith("other") else ""
    document = Document(strawberry.Schema(query=Query)._schema, f"{{ {name}{inner} }}")

    with pytest.raises(TypeError, match=rf"Query\.{name} returned"):
        document.execute()


@pytest.mark.parametrize("value", ["abc", {"a": 1}, 7, b"abc"])
def test_what_is_no_list_is_no_answer(value: Any) -> None:
    @strawberry.type
    class Query:
        names: list[str] = derived(lambda root: root)

    document = Document(strawberry.Schema(query=Query)._schema, "{ names }")

    with pytest.raises(TypeError, match=r"Query\.names"):
        document.execute(root=value)
    assert document.execute(root=(each for each in ("a", "b"))) == {"names": ["a", "b"]}


def test_an_error_that_is_returned_is_raised() -> None:
    @strawberry.type
    class Query:
        name: str = derived(lambda root: root)

    document = Document(strawberry.Schema(query=Query)._schema, "{ name }")

    with pytest.raises(ZeroDivisionError):
        document.execute(root=ZeroDivisionError())


def test_an_object_of_another_type_is_no_answer() -> None:
    document = Document(SCHEMA, "{ pets { ... on Cat { kittens { name } } } }")

    with pytest.raises(TypeError, match="Cat"):
        document.execute(root=[Row("cat", "Tom", kittens=(Row("dog", "Rex"),))])


def test_an_instance_of_a_type_is_of_it_though_others_would_take_it() -> None:
    """Strawberry lets a type of an interface take any object of the interface."""

    @strawberry.interface
    class Shape:
        name: str

    @strawberry.type
    class Circle(Shape):
        radius: int

    @strawberry.type
    class Square(Shape):
        side: int

    @strawberry.type
    class Query:
        shapes: list[Shape] = derived(lambda root: root)

    schema = strawberry.Schema(query=Query, types=[Circle, Square])._schema
    document = Document(
        schema, "{ shapes { name ... on Circle { radius } ... on Square { side } } }"
    )
    root = [Square(name="s", side=1), Circle(name="c", radius=2)]
    expected: Any = execute(schema, document.node, root)

    assert expected.data["shapes"] == [{"name": "s", "side": 1}, {"name": "c", "radius": 2}]
    assert document.execute(root=root) == expected.data


def test_extensions_and_permissions_of_a_field_are_asked() -> None:
    class Loud(FieldExtension):
        def resolve(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
            return next_(source, info, **kwargs).upper()

    class Nobody(BasePermission):
        message = "Not you."

        def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
            return False

    @strawberry.type
    class Query:
        name: str = strawberry.field(extensions=[Loud()])
        secret: str = strawberry.field(permission_classes=[Nobody])
        quiet: str = DerivedField(
            extensions=[Loud()], metadata=derived(attrgetter("name")).metadata
        )

    schema = strawberry.Schema(query=Query)._schema
    root = Row("cat", "Tom")

    assert Document(schema, "{ name quiet }").execute(root=root) == {"name": "TOM", "quiet": "TOM"}
    with pytest.raises(Exception, match="Not you"):
        Document(schema, "{ secret }").execute(root=root)


def test_most_fields_are_read_without_a_resolver() -> None:
    """What Strawberry marks such fields with is its own."""
    fields: Any = get_schema()._schema.type_map["Message"].fields  # type: ignore[attr-defined]

    assert all(_read(fields[name]) for name in ("id", "content", "created_at", "sender"))


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


# The documents of the package


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
    assert compared or case in quiet
