"""Fitting: an answer that turns out to be too large is made as small as it has to be."""

from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_bridge.fitting import (
    encode_answer,
    fit_list,
    fit_messages,
    fit_rooms,
    fit_waiting,
)
from tests.unit.test_settings import chat

NUMBERED = {"has_next": False, "next_page_number": None, "prev_page_number": None}


def size_of(value: Any) -> int:
    return len(orjson.dumps(value))


def message(number: int, length: int, quoted: int = 0) -> dict[str, Any]:
    quote = {"id": "q", "content": "q" * quoted, "attachments": []} if quoted else None
    return {"id": number, "content": "x" * length, "parent_message": quote, "attachments": []}


def page(messages: list[Any], **keys: Any) -> dict[str, Any]:
    return {**keys, "data": {"room_id": "r", "messages": messages}}


def ids(found: Any) -> list[int]:
    return [each["id"] for each in found["data"]["messages"]]


LENGTHS = st.lists(st.integers(0, 400), max_size=12)


@given(lengths=LENGTHS, limit=st.integers(400, 2000))
def test_a_page_by_cursor_ends_early_and_says_so(lengths: list[int], limit: int) -> None:
    messages = [message(number, length) for number, length in enumerate(lengths)]
    down = page(messages, has_next=False, has_previous=True, size=50)
    up = page(messages, has_next=True, has_previous=False, size=50)

    older = fit_messages(down, {"paginate": {"before": "m", "size": 50}}, limit)
    newer = fit_messages(up, {"paginate": {"after": "m", "size": 50}}, limit)

    for found, flag in ((older, "has_next"), (newer, "has_previous")):
        shown = ids(found)
        assert size_of(found) <= limit or len(shown) == 1
        assert found[flag] is (len(shown) < len(messages))
        assert found.keys() == down.keys()
        assert found["size"] == 50
    assert ids(older) == list(range(len(ids(older))))
    assert ids(newer) == list(range(len(messages)))[len(messages) - len(ids(newer)) :]


@given(lengths=st.lists(st.integers(0, 400), min_size=1, max_size=12), place=st.integers(1, 9))
def test_a_page_by_number_is_counted_anew(lengths: list[int], place: int) -> None:
    messages = [message(number, length) for number, length in enumerate(lengths)]
    size = len(messages)
    keys = {**NUMBERED, "has_previous": place > 1, "page": place, "size": size}
    data = {"paginate": {"page": place, "size": size}}

    found = fit_messages(page(messages, **keys), data, 900)

    shown = ids(found)
    assert shown == list(range(len(shown)))
    assert shown
    if len(shown) == size:
        assert found["page"] == place
        return
    assert len(shown) == found["size"]
    assert (found["page"] - 1) * found["size"] == (place - 1) * size
    assert found["has_next"] is True
    assert found["next_page_number"] == found["page"] + 1
    assert found["prev_page_number"] == (found["page"] - 1 or None)


def test_the_newest_are_as_many_as_fit() -> None:
    messages = [message(number, 300) for number in range(5)]

    found = fit_messages(page(messages), {}, 1000)

    assert found == page(messages[:2])


def test_one_message_goes_whatever_its_size_and_with_excerpts_of_quotes() -> None:
    (reply,) = fit_messages(page([message(1, 100, quoted=900)]), {}, 700)["data"]["messages"]
    large = fit_messages(page([message(1, 900)]), {}, 700)

    assert reply["content"] == "x" * 100
    assert reply["parent_message"]["content"] == "q" * 200 + "…"
    assert large == page([message(1, 900)])


def test_notifications_end_early() -> None:
    notifications = [{"id": number, "message": message(0, 300)} for number in range(5)]
    found = {"has_next": False, "size": 9, "data": {"notifications": notifications}}

    shown = fit_list("notifications", found, {}, 1000)

    assert shown == {"has_next": True, "size": 9, "data": {"notifications": notifications[:2]}}
    assert fit_list("notifications", found, {}, 10_000) == found


@given(
    rooms=st.dictionaries(st.sampled_from("abcd"), LENGTHS.filter(bool), min_size=1),
    limit=st.integers(300, 3000),
)
def test_of_what_waits_the_newest_of_each_room_are_told(
    rooms: dict[str, list[int]], limit: int
) -> None:
    waiting = {
        room: [{"id": n, "message": message(n, length)} for n, length in enumerate(lengths)]
        for room, lengths in rooms.items()
    }

    told = fit_waiting(waiting, limit)

    assert size_of(told) <= limit or sum(map(len, told.values())) == 1
    for room, some in told.items():
        assert some == waiting[room][len(waiting[room]) - len(some) :] != []
    if size_of(waiting) < limit:
        assert told == waiting


@given(lengths=st.lists(st.integers(0, 900), min_size=1, max_size=8), limit=st.integers(300, 6000))
def test_the_list_of_rooms_shows_less_from_its_end_on(lengths: list[int], limit: int) -> None:
    rooms = [
        {"id": number, "last_message": message(number, length) if length else None}
        for number, length in enumerate(lengths)
    ]

    shown = fit_rooms(rooms, {}, limit)

    assert size_of(shown) <= limit or len(shown) == 1
    assert [room["id"] for room in shown] == list(range(len(shown)))
    # 0 is whole, 1 an excerpt, 2 none at all.
    kinds = [
        0 if one == whole else 1 if one["last_message"] is not None else 2
        for one, whole in zip(shown, rooms, strict=False)
        if whole["last_message"] is not None and len(whole["last_message"]["content"]) > 200
    ]
    assert kinds == sorted(kinds)
    if size_of(rooms) < limit:
        assert shown == rooms


@pytest.mark.parametrize("letter", ["x", "👍"])
def test_an_answer_is_measured_in_bytes(letter: str) -> None:
    asked: list[int] = []

    def fit(data: Any, limit: int) -> Any:
        asked.append(limit)
        return "fits"

    with chat(MAX_ANSWER_BYTES=5000):
        small = encode_answer("a.dispatch", "x" * 3900, partial(fit, None), 7)
        large = encode_answer("a.dispatch", letter * 4000, partial(fit, None), 7)
    with chat(MAX_ANSWER_BYTES=None):
        any_size = encode_answer("a.dispatch", "x" * 10_000, partial(fit, None))

    assert len(small) > 3900
    assert orjson.loads(large) == {"eventType": "a.dispatch", "data": "fits", "request_id": 7}
    assert len(any_size) > 10_000
    assert asked == [5000 - 1024]
