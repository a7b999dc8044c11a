"""Results: what resolvers return that is no value."""

from typing import Any

import pytest
import strawberry
from graphql import (
    build_schema,
)

from gql_chat.schema import Document, derived

from .pets import Sleepy


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


def test_an_error_that_is_returned_is_raised() -> None:
    @strawberry.type
    class Query:
        name: str = derived(lambda root: root)

    document = Document(strawberry.Schema(query=Query)._schema, "{ name }")

    with pytest.raises(ZeroDivisionError):
        document.execute(root=ZeroDivisionError())
