"""Types: of which type a value is."""

from typing import Any

import pytest
import strawberry
from graphql import (
    execute,
)

from gql_chat.schema import Document, derived

from .pets import SCHEMA, Row


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
