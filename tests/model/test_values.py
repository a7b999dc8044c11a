"""The comparison of what was expected with what came."""

from typing import Any

import pytest

from tests.model.values import ANYTHING, SOME_TEXT, Comparison, Id, Time, Unordered, containing

ONE, OTHER = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
NOON, LATER = (f"2026-01-01T12:00:00.00000{number}Z" for number in (0, 1))


def test_what_was_unknown_is_learned_and_stays() -> None:
    message, sent = Id(), Time()

    first = Comparison({"id": message, "sent": sent}, {"id": ONE, "sent": NOON})

    assert first.problem is None
    assert first.learned == [message, sent]
    assert Comparison([message, sent], [ONE, NOON]).problem is None
    assert Comparison([message], [OTHER]).problem is not None
    assert Comparison([sent], [LATER]).problem is not None


def test_what_a_wrong_frame_says_is_not_learned() -> None:
    message = Id()

    assert Comparison({"id": message, "is": True}, {"id": ONE, "is": False}).problem is not None

    assert message.value is None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        (None, ""),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1, "b": 1}, {"a": 1}),
        ({"a": 1}, []),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        (Unordered([1, 2]), [1, 1]),
        (Unordered([1, 1]), [1, 2]),
        (Id(), "1"),
        (Time(), "2026-01-01T12:00:00Z"),
        (Time(), NOON.replace("Z", "+00:00")),
        (SOME_TEXT, ""),
        (containing("full"), {"detail": "empty"}),
    ],
)
def test_what_is_not_the_same_is_found(expected: Any, actual: Any) -> None:
    assert Comparison(expected, actual).problem is not None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": [1, None, "b"]}, {"a": [1, None, "b"]}),
        (Unordered([1, 2, 2]), [2, 1, 2]),
        (Unordered([ONE, Id()]), [OTHER, ONE]),
        (ANYTHING, {"a": 1}),
        (containing("full"), {"detail": "It is full."}),
    ],
)
def test_what_is_the_same_is_no_problem(expected: Any, actual: Any) -> None:
    assert Comparison(expected, actual).problem is None


def test_a_problem_says_where_it_is() -> None:
    problem = Comparison({"a": [{"b": 1}]}, {"a": [{"b": 2}]}).problem

    assert problem == "/a/0/b: 2 instead of 1"
