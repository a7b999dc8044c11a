"""Validation: what is wrong with the values that clients send, by the path of each field.

graphql-core finds the same (the tests compare them), but says it in sentences about objects, with
all that they hold. Here what is said names a field, and repeats little of what the client sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    is_required_input_field,
)
from graphql.pyutils import is_iterable

REQUIRED = "This field is required."
UNKNOWN = "There is no such field, or it is not yours."
NULL = "This field must not be null."
NO_OBJECT = "An object is needed."
NOT_ONE = "Exactly one of its fields is needed, and not null."

MOST_PROBLEMS = 100
"""How many problems of one value are told: a client can list any number of wrong ones."""

_ECHO = 100
"""How many characters of what a client sent are repeated."""

_WORDS = 300
"""How many characters a scalar may say about a short value."""


class Words(str):
    """What a scalar says about a value, with some of it.

    Attributes:
        repeated: how many characters of the value it has at most.
        plain: what is said instead where that is too much.
    """

    __slots__ = ("plain", "repeated")

    repeated: int
    plain: str


Steps = tuple[str | int, ...]
Problem = tuple[Steps, str]
"""Where something is wrong, and what."""


def describe(kind: GraphQLInputType, value: Any) -> dict[str, str]:
    """Return what is wrong with a value, by the path of each field: `media.0.media_url`.

    All together repeat `_ECHO` characters of the value at most. Names that a client made up are
    told as long as they fit in; one is told, cut, if it is all that is wrong.

    Args:
        kind: the type that it should have.
        value: the value; `Undefined` where there is none.
    """
    described: dict[str, str] = {}
    left = _ECHO
    for steps, problem in islice(find_problems(kind, value), MOST_PROBLEMS):
        path = ".".join(_cut(str(step), _ECHO) for step in steps) or "data"
        repeated = _count_repeated(steps, problem)
        if repeated > left and described:
            if not isinstance(problem, Words):
                continue
            problem, repeated = problem.plain, 0
        left -= repeated
        described.setdefault(path, str(problem))
    return described


def _count_repeated(steps: Steps, problem: str) -> int:
    """Return how many characters of what a client made up are told with a problem."""
    if isinstance(problem, Words):
        return problem.repeated
    return min(len(str(steps[-1])), _ECHO) if problem == UNKNOWN else 0


def find_problems(kind: GraphQLInputType, value: Any, steps: Steps = ()) -> Iterator[Problem]:
    """Yield all that is wrong with a value, as graphql-core's `validate_input_value` finds it.

    A missing or unknown field is reported by its own path, not by that of the object around it.
    """
    if isinstance(kind, GraphQLNonNull):
        if value is Undefined:
            yield steps, REQUIRED
        elif value is None:
            yield steps, NULL
        else:
            yield from find_problems(kind.of_type, value, steps)
    elif value is None or value is Undefined:
        return
    elif isinstance(kind, GraphQLList):
        if not is_iterable(value):  # one item may stand without its list
            yield from find_problems(kind.of_type, value, steps)
            return
        for index, item in enumerate(value):
            yield from find_problems(kind.of_type, item, (*steps, index))
    elif isinstance(kind, GraphQLInputObjectType):
        yield from _find_in_object(kind, value, steps)
    else:
        yield from _find_in_leaf(kind, value, steps)


def _find_in_object(kind: GraphQLInputObjectType, value: Any, steps: Steps) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield steps, NO_OBJECT
        return
    for name, field in kind.fields.items():
        given = value.get(name, Undefined)
        if given is not Undefined:
            yield from find_problems(field.type, given, (*steps, name))
        elif is_required_input_field(field):
            yield (*steps, name), REQUIRED
    given_names = [name for name, given in value.items() if given is not Undefined]
    for name in given_names:
        if name not in kind.fields:
            yield (*steps, name), UNKNOWN
    if kind.is_one_of:
        known = [name for name in given_names if name in kind.fields]
        if len(known) != 1:
            yield steps, NOT_ONE
        if known and value[known[0]] is None:
            yield (*steps, known[0]), NOT_ONE


def _find_in_leaf(kind: Any, value: Any, steps: Steps) -> Iterator[Problem]:
    try:
        if kind.coerce_input_value(value) is not Undefined:
            return
    except Exception as error:
        words = getattr(error, "message", None) or str(error)
    else:
        words = ""
    yield steps, _say(words, value, f"This is no value of {kind.name}.")


def _say(words: str, value: Any, plain: str) -> str:
    """Return what a scalar says about a value. It may say the value in any form."""
    short = _is_short(value)
    cut = _cut(words, _WORDS if short else _ECHO)
    if not cut:
        return plain
    said = Words(cut)
    said.plain = plain
    said.repeated = len(repr(value)) if short else len(cut)
    return said


def _is_short(value: Any) -> bool:
    try:
        return len(repr(value)) <= _ECHO
    except ValueError:
        return False  # Python writes no number of thousands of digits.


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
