"""Plans: a prepared document answers what graphql-core's executor answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any
from unittest.mock import patch

import pytest
import strawberry
from django.db import transaction
from graphql import execute

from gql_chat.schema import Document, derived
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
