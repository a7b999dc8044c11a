"""Completion: lists, and objects that stand in an answer twice."""

from typing import Any

import pytest
import strawberry

from gql_chat.schema import Document, derived

from .pets import SCHEMA, Mood, Row


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


@pytest.mark.parametrize("value", ["abc", {"a": 1}, 7, b"abc"])
def test_what_is_no_list_is_no_answer(value: Any) -> None:
    @strawberry.type
    class Query:
        names: list[str] = derived(lambda root: root)

    document = Document(strawberry.Schema(query=Query)._schema, "{ names }")

    with pytest.raises(TypeError, match=r"Query\.names"):
        document.execute(root=value)
    assert document.execute(root=(each for each in ("a", "b"))) == {"names": ["a", "b"]}
