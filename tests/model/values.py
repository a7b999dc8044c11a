"""Values that a frame may hold: what the model knows, and what only the server can choose."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Unknown:
    """A value that the server chooses: the first frame tells it, and it stays what it was.

    Attributes:
        value: the value; None until a frame has told it.
    """

    form: re.Pattern[str]

    def __init__(self) -> None:
        self.value: Any = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.value}>"


class Id(Unknown):
    """The id of a room, a message, a reaction and so on."""

    form = _ID


class Time(Unknown):
    """When something happened."""

    form = _TIME


class Text(Unknown):
    """Some text."""

    form = re.compile(r".+")


class Matching:
    """A value of which only something is known, and which need not stay what it was."""

    def __init__(self, what: str, holds: Callable[[Any], bool]) -> None:
        self.what = what
        self.holds = holds

    def __repr__(self) -> str:
        return f"<{self.what}>"


class Unordered(list[Any]):
    """A list whose order the protocol leaves open. What is unknown in it comes last."""


ANYTHING = Matching("anything", lambda value: True)
SOME_TIME = Matching("some time", lambda value: bool(_TIME.fullmatch(str(value))))
SOME_TEXT = Matching("some text", lambda value: isinstance(value, str) and value != "")


def containing(text: str) -> Matching:
    """A text, or an object of texts, that has this text in it."""
    return Matching(f"… {text} …", lambda value: text in str(value))


class Comparison:
    """Compares what was expected with what came, and learns what only the server knows.

    Attributes:
        learned: the values that were unknown before.
        problem: the first difference, with the way to it; None where there is none.
    """

    def __init__(self, expected: Any, actual: Any) -> None:
        self.learned: list[Unknown] = []
        self.problem = self._compare(expected, actual, "")
        if self.problem is not None:
            self._forget(0)

    def _forget(self, count: int) -> None:
        while len(self.learned) > count:
            self.learned.pop().value = None

    def _compare(self, expected: Any, actual: Any, path: str) -> str | None:
        if isinstance(expected, Unknown):
            return self._learn(expected, actual, path)
        if isinstance(expected, Matching):
            fits = expected.holds(actual)
        elif isinstance(expected, dict):
            return self._compare_objects(expected, actual, path)
        elif isinstance(expected, list):
            return self._compare_lists(expected, actual, path)
        else:
            fits = type(expected) is type(actual) and expected == actual
        return None if fits else f"{path or '/'}: {actual!r} instead of {expected!r}"

    def _learn(self, expected: Unknown, actual: Any, path: str) -> str | None:
        if expected.value is not None:
            return self._compare(expected.value, actual, path)
        if not isinstance(actual, str) or expected.form.fullmatch(actual) is None:
            return f"{path}: {actual!r} instead of a new {expected!r}"
        expected.value = actual
        self.learned.append(expected)
        return None

    def _compare_objects(self, expected: dict[str, Any], actual: Any, path: str) -> str | None:
        if not isinstance(actual, dict):
            return f"{path or '/'}: {actual!r} instead of an object"
        if actual.keys() != expected.keys():
            more, less = actual.keys() - expected.keys(), expected.keys() - actual.keys()
            return f"{path or '/'}: has besides {sorted(more)}, and lacks {sorted(less)}"
        for key, value in expected.items():
            problem = self._compare(value, actual[key], f"{path}/{key}")
            if problem is not None:
                return problem
        return None

    def _compare_lists(self, expected: list[Any], actual: Any, path: str) -> str | None:
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"{path or '/'}: {actual!r} instead of {len(expected)} items: {expected!r}"
        if isinstance(expected, Unordered):
            return self._compare_sets(expected, actual, path)
        for place, (value, found) in enumerate(zip(expected, actual, strict=True)):
            problem = self._compare(value, found, f"{path}/{place}")
            if problem is not None:
                return problem
        return None

    def _compare_sets(self, expected: list[Any], actual: list[Any], path: str) -> str | None:
        left = list(actual)
        for value in expected:
            for found in left:
                before = len(self.learned)
                if self._compare(value, found, path) is None:
                    left.remove(found)
                    break
                self._forget(before)
            else:
                return f"{path}: {actual!r} lacks {value!r}"
        return None
