"""Completion: lists, and objects that are made while they are read."""

from typing import Any

import pytest
import strawberry

from gql_chat.schema import Document, derived


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
