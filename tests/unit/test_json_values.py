"""How many values a JSON text has, and how large and deep an object may be."""

import json
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from gql_chat.json_values import find_problem, has_too_many

#: Letters that mean something to whoever counts, and some that do not.
TEXTS = st.text(st.sampled_from('\\"[]{},:x\u017e\n'))

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=30,
)


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


def count(value: Any) -> int:
    """Count values as the settings do: an empty object or list is two."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + (sum(map(count, value)) or 1)
    return 1


@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_values_are_counted_without_reading_them(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    found = count(value)

    with chat(MAX_FRAME_ELEMENTS=found):
        assert not has_too_many(text)
        assert not has_too_many(text.encode())
    if found > 1:
        with chat(MAX_FRAME_ELEMENTS=found - 1):
            assert has_too_many(text)
            assert has_too_many(text.encode())


@given(text=TEXTS, limit=st.integers(1, 20))
def test_a_text_that_is_no_json_is_judged_too(text: str, limit: int) -> None:
    with chat(MAX_FRAME_ELEMENTS=limit):
        assert has_too_many(text) in (True, False)


@pytest.mark.parametrize(
    ("text", "too_many"),
    [
        ("[" + ",".join(["[]"] * 300_000) + "]", True),
        ("[" + ",".join(['""'] * 300_000) + "]", True),
        ("[" * 500_000, True),
        ('",' * 300_000, True),
        (json.dumps(",[{" * 300_000), False),
        (json.dumps('"' * 300_000), False),
        (json.dumps("\\" * 300_000), False),
        (json.dumps({"message_id": ["0" * 36] * 20_000}), False),
    ],
)
def test_by_default_a_text_has_at_most_50000_values(text: str, too_many: bool) -> None:
    assert has_too_many(text) is too_many
    with chat(MAX_FRAME_ELEMENTS=None):
        assert not has_too_many(text)


# Objects


def depth(value: Any) -> int:
    """How many objects and lists stand in each other."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(value=st.dictionaries(TEXTS, VALUES))
def test_an_object_may_be_so_deep_and_so_large(value: Any) -> None:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    with chat(MAX_JSON_DEPTH=depth(value), MAX_JSON_BYTES=size):
        assert find_problem(value) is None
    with chat(MAX_JSON_BYTES=size - 1):
        assert (find_problem(value) is None) == (size - 1 < 1)
    if depth(value) > 1:
        with chat(MAX_JSON_DEPTH=depth(value) - 1):
            assert "levels" in str(find_problem(value))


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels > 1 else {}


def test_by_default_an_object_has_eight_levels_and_8_kib() -> None:
    assert find_problem(nested(8)) is None
    assert find_problem(nested(9)) == "At most 8 levels of objects and lists are allowed."
    fits = {"a": "x" * (8192 - len('{"a":""}'))}
    assert find_problem(fits) is None
    assert find_problem({"a": fits["a"] + "x"}) == "At most 8192 bytes of JSON are allowed."
    assert find_problem({"a": "\u017e" * 4093}) is not None, "bytes count, not letters"
    with chat(MAX_JSON_DEPTH=None, MAX_JSON_BYTES=None):
        assert find_problem(nested(60)) is None
        assert find_problem({"a": "x" * 100_000}) is None


@pytest.mark.parametrize("value", [2**63, -(2**63), 1e300, float("nan"), float("inf")])
def test_a_number_that_not_all_can_keep_is_refused_at_any_depth(value: Any) -> None:
    assert find_problem({"a": [{"b": value}]}) == "A number is too large."


def test_what_json_cannot_say_is_refused_in_words() -> None:
    assert find_problem({"a": "\ud800"}) == "This cannot be written as JSON."
