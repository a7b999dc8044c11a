"""What the page on GraphQL tells tools to send is what the endpoint takes."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from gql_chat.conf import defaults
from gql_chat.schema import get_schema

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = (DOCS / "graphql.md").read_text()
OPERATIONS = re.findall(r"```graphql\n(.+?)```", PAGE, re.DOTALL)


def test_there_are_operations_to_be_checked() -> None:
    assert len(OPERATIONS) == PAGE.count("```graphql") == 2


@pytest.mark.parametrize("text", OPERATIONS)
def test_every_operation_of_the_page_fits_the_schema(text: str) -> None:
    assert validate(get_schema()._schema, parse(text)) == []


@pytest.mark.parametrize("name", [name for name in defaults() if name.startswith("GRAPHQL_")])
def test_every_setting_of_the_endpoint_is_documented(name: str) -> None:
    default = defaults()[name]
    # Some of them are written as what they are made of.
    shown = "256 * 1024" if default == 256 * 1024 else str(default)
    line = next(line for line in (DOCS / "settings.md").read_text().splitlines() if name in line)
    assert shown in line
