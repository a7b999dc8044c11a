"""Collection: which fields a document asks for."""

from typing import Any

import pytest
from graphql import (
    execute,
)

from gql_chat.schema import Document

from .pets import ROOT, SCHEMA

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
