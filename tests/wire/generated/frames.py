"""Frames that are right, nearly right or anything, and how they are written."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

bounded = settings(
    max_examples=20,
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    # The world and the socket of a test serve all its examples: none is to break them.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Raw:
    """JSON text that Python's own writer would not write."""

    text: str

    def __repr__(self) -> str:
        return f"Raw({self.text[:30]!r}, {len(self.text)} characters)"


@dataclass(frozen=True)
class Named:
    """Something of the world, named before the world exists."""

    name: str


@dataclass(frozen=True)
class Pairs:
    """An object, as pairs: a key may stand in it twice."""

    pairs: tuple[tuple[str, Any], ...]


ABSENT = Raw("")
"""In the place of a value: the key is left out."""


def write(value: Any, world: Mapping[str, Any]) -> str:
    """Write JSON text."""
    match value:
        case Raw():
            return value.text
        case Named():
            return write(world[value.name], world)
        case dict():
            return write(Pairs(tuple(value.items())), world)
        case Pairs():
            items = (
                f"{json.dumps(key)}: {write(item, world)}"
                for key, item in value.pairs
                if item is not ABSENT
            )
            return "{" + ", ".join(items) + "}"
        case list():
            return "[" + ", ".join(write(item, world) for item in value) + "]"
    return json.dumps(value)


def deep(depth: int, core: str = "1") -> Raw:
    """An array in an array, and so on."""
    return Raw("[" * depth + core + "]" * depth)


def deep_object(depth: int, core: str = "1") -> Raw:
    """An object in an object, and so on."""
    return Raw('{"a":' * depth + core + "}" * depth)


IDS = ["room", "foreign_room", "message", "own_message", "foreign_message"]
USERS = ["alice", "bob", "carol", "dave"]


def long(text: str) -> Raw:
    """A text, written once."""
    return Raw(json.dumps(text))


EDGES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1.0,
    1.5,
    2**31 - 1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    Raw("9" * 30),
    Raw("9" * 400),
    Raw("9" * 5000),
    Raw("1e400"),
    Raw("-1e400"),
    Raw("1e300"),
    Raw("1e19"),
    Raw("-1e19"),
    Raw("9.3e18"),
    Raw("1e-400"),
    Raw("-0"),
    Raw("NaN"),
    Raw("Infinity"),
    Raw("01"),
    Raw('"\\ud800"'),
    Raw('"\\udc00\\ud800"'),
    Raw('{"\\ud800": 1}'),
    Raw('"unfinished'),
    "",
    " ",
    "\0",
    "a\0b",
    "null",
    "1",
    "-1",
    "1e3",
    "9" * 30,
    long("9" * 5000),
    "\u0661\u0662",
    "\u202e\ufeff\u2028",
    "\U0010ffff",
    "x" * 65,
    long("x" * 10_001),
    long("x" * 20_000),
    long("<b>" * 3000),
    long("&" * 500),
    "<a href='javascript:alert(1)'>x</a><script>",
    "http://",
    "http://[",
    "http://[::1",
    long("https://example.com/" + "x" * 3000),
    "00000000-0000-0000-0000-000000000000",
    "{00000000000000000000000000000000}",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    [],
    [None],
    [[]],
    [{}],
    {},
    {"": None},
    {"a\0b": 1},
    Pairs((("a", 1), ("a", "2"))),
    Pairs((("id", 1), ("id", 1))),
    deep(33),
    deep(400),
    deep(1000),
    deep(1000, '"\\u0000"'),
    deep(3000),
    deep_object(33),
    deep_object(400),
    deep_object(1000),
    deep_object(1000, '"\\u0000"'),
    deep_object(3000),
]

# The default leaves lone surrogates out.
characters = st.characters(exclude_categories=())
names = st.one_of(st.sampled_from(IDS + USERS).map(Named), st.uuids().map(str))
duplicates = st.builds(lambda one, times: [one] * times, names, st.integers(2, 120))
leaves = st.one_of(
    st.sampled_from(EDGES),
    names,
    duplicates,
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(characters, max_size=80),
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.lists(st.tuples(st.text(characters, max_size=8), inner), max_size=4)
    return st.one_of(st.lists(inner, max_size=4), pairs.map(tuple).map(Pairs))


values = st.recursive(leaves, _containers, max_leaves=6)
