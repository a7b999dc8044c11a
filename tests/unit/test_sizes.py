"""Sizes: where a page ends, how it is counted then, and what an excerpt is."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql_chat.errors import Invalid
from gql_chat.sanitize import clean
from gql_chat.sizes import (
    EACH,
    ENVELOPE,
    EXCERPT_LENGTH,
    SharedBudget,
    count_fitting,
    cut,
    excerpt,
    find_limit,
    find_share,
    is_larger,
    renumber,
    shorten,
    shorten_quotes,
)
from tests.unit.test_settings import chat

WEIGHTS = st.lists(st.integers(0, 50), max_size=30)


@pytest.mark.parametrize(
    ("weights", "limit", "count"),
    [([], 10, 0), ([11], 10, 1), ([5, 5, 1], 10, 2), ([5, 6], 10, 1), ([11, 0], 10, 1)],
)
def test_a_page_ends_before_what_does_not_fit(weights: list[int], limit: int, count: int) -> None:
    assert cut(weights, limit) == count


@given(weights=WEIGHTS, limit=st.integers(0, 200))
def test_a_page_holds_one_item_or_all_that_fit(weights: list[int], limit: int) -> None:
    count = cut(weights, limit)

    assert (count > 0) is bool(weights)
    assert count == 1 or sum(weights[:count]) <= limit
    assert count == len(weights) or sum(weights[: count + 1]) > limit
    assert count_fitting(weights, limit) == (count if sum(weights[:count]) <= limit else 0)


def test_no_more_is_weighed_than_is_needed() -> None:
    weights = iter([5, 6, 7])

    assert cut(weights, 10) == 1
    assert list(weights) == [7]


@given(start=st.integers(0, 500), fits=st.integers(1, 100))
def test_a_page_is_counted_so_that_it_begins_where_it_did(start: int, fits: int) -> None:
    page, size = renumber(start, fits)

    assert (page - 1) * size == start
    assert 1 <= size <= fits
    assert start > 0 or size == fits


@given(weights=st.lists(st.integers(1, 50), max_size=60), size=st.integers(1, 20))
def test_numbered_pages_hold_everything_once(weights: list[int], size: int) -> None:
    """Whoever goes on by the number and the size that each page says."""
    seen: list[int] = []
    page: int | None = 1
    while page is not None:
        start = (page - 1) * size
        assert start == len(seen)
        wanted = list(range(len(weights)))[start : start + size]
        count = cut((weights[number] for number in wanted), 100)
        if count < len(wanted):
            page, size = renumber(start, count)
        seen += wanted[:size]
        page = page + 1 if len(seen) < len(weights) else None

    assert seen == list(range(len(weights)))


@given(weights=WEIGHTS, limit=st.integers(0, 500))
def test_what_is_small_stays_whole_and_all_fits(weights: list[int], limit: int) -> None:
    share = find_share(weights, limit)
    shown = [min(weight, share) for weight in weights]

    assert sum(shown) <= limit
    # No more could be shown of the largest.
    assert shown == weights or sum(min(weight, share + 1) for weight in weights) > limit


@pytest.mark.parametrize(("letter", "bytes_of_it"), [("x", 1), ("ž", 2), ("€", 3), ("👍", 4)])
def test_bytes_count_and_not_characters(letter: str, bytes_of_it: int) -> None:
    assert not is_larger(letter * 10, 10 * bytes_of_it)
    assert is_larger(letter * 10, 10 * bytes_of_it - 1)


def test_the_limit_leaves_room_for_the_frame() -> None:
    assert find_limit() == 1024 * 1024 - ENVELOPE
    with chat(MAX_ANSWER_BYTES=5000):
        assert find_limit() == 5000 - ENVELOPE
    with chat(MAX_ANSWER_BYTES=None):
        assert find_limit() is None


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("", ""),
        ("Soup or <b>noodles</b>?", "Soup or noodles?"),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "…"),
        ("&amp;" * 201, "&amp;" * 200 + "…"),
        ("<i>" + "x" * 300, "x" * 200 + "…"),
        ('<a href="https://e.com/' + "x" * 3000, "…"),
    ],
)
def test_an_excerpt_is_the_text_without_tags(content: str, shown: str) -> None:
    assert excerpt(content) == shown


@given(content=st.text(alphabet="ab<>&;\"'/= ltgamp", max_size=400))
def test_an_excerpt_has_no_markup_and_a_bound(content: str) -> None:
    shown = excerpt(content)

    assert clean(shown) == shown
    assert "<" not in shown
    assert len(shown) <= 5 * EXCERPT_LENGTH + 1


MESSAGE = {
    "id": "1",
    "content": "<b>" + "x" * 500 + "</b>",
    "parent_message": {"id": "2", "content": "y" * 500, "attachments": [{"id": "3"}]},
    "forwarded_from": None,
    "attachments": [{"id": "4"}],
    "read_receipts": [{"reader": 1}],
    "delivered_to": ["bob"],
    "own": [1],
}


def test_an_excerpt_of_a_message_has_its_keys_and_nothing_that_hangs_on_it() -> None:
    short = shorten(MESSAGE)

    assert short == {
        "id": "1",
        "content": "x" * 200 + "…",
        "parent_message": None,
        "forwarded_from": None,
        "attachments": [],
        "read_receipts": [],
        "delivered_to": [],
        "own": [1],
    }


def test_quotes_become_excerpts_wherever_they_stand() -> None:
    shown = shorten_quotes({"a": [{"message": MESSAGE}], "b": 1})

    quote = {"id": "2", "content": "y" * 200 + "…", "attachments": []}
    assert shown == {"a": [{"message": {**MESSAGE, "parent_message": quote}}], "b": 1}
    assert orjson.dumps(shown) != orjson.dumps(MESSAGE)


def test_pages_of_one_answer_share_its_bytes() -> None:
    budget = SharedBudget()
    with chat(MAX_ANSWER_BYTES=5000):
        limit = find_limit()
        assert limit is not None
        assert (EACH.find_limit(), budget.find_limit()) == (limit, limit)
        EACH.spend(limit)
        budget.spend(limit - 1)
        assert (EACH.find_limit(), budget.find_limit()) == (limit, 1)
        budget.spend(1)
        with pytest.raises(Invalid):
            budget.find_limit()
        assert EACH.find_limit() == limit
    with chat(MAX_ANSWER_BYTES=None):
        assert budget.find_limit() is None
