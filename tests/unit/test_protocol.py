"""Frames in and out."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_bridge import protocol
from event_bridge.protocol import Frame, Malformed, parse
from gql_chat.errors import Invalid, NotFound

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def refused(text: str | None) -> Malformed:
    with pytest.raises(Malformed) as caught:
        parse(text)
    assert caught.value.code == 4003
    return caught.value


def test_a_frame_is_an_event_and_its_data() -> None:
    assert parse('{"event_type": "room.list", "data": {"a": [1]}}') == Frame(
        "room.list", {"a": [1]}, None
    )


def test_data_may_be_left_out() -> None:
    assert parse('{"event_type": "room.list"}').data is None


def test_what_else_stands_in_the_envelope_is_left_alone() -> None:
    assert parse('{"event_type": "room.list", "data": 1, "more": 2}').data == 1


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "{",
        "nonsense",
        "{'event_type': 'room.list'}",
        '{"event_type": "room.list"} {}',
        '{"event_type": NaN}',
        '{"event_type": "\x00"}',
        '{"event_type": "room.list", "data": "\\ud800"}',
        '{"event_type": "room.list", "data": "\ud800"}',
        "\ufeff{}",
        "null",
        "[]",
        '"room.list"',
        "1",
        "[" * 100_000,
        '{"event_type": "room.list", "data": ' + "[" * 500 + "]" * 500 + "}",
    ],
    ids=lambda text: repr(text)[:40],
)
def test_what_is_no_frame_is_refused(text: str | None) -> None:
    refused(text)


@pytest.mark.parametrize(
    ("envelope", "field"),
    [
        ({}, "event_type"),
        ({"data": {}}, "event_type"),
        ({"event_type": None}, "event_type"),
        ({"event_type": 1}, "event_type"),
        ({"event_type": ["room.list"]}, "event_type"),
        ({"event_type": "room.list", "request_id": 1.5}, "request_id"),
        ({"event_type": "room.list", "request_id": True}, "request_id"),
        ({"event_type": "room.list", "request_id": {}}, "request_id"),
        ({"event_type": "room.list", "request_id": "x" * 65}, "request_id"),
        ({"event_type": "room.list", "request_id": 2**64}, "request_id"),
    ],
)
def test_what_is_wrong_with_an_envelope_is_named(envelope: Any, field: str) -> None:
    detail = refused(json.dumps(envelope)).detail
    assert isinstance(detail, dict)
    assert list(detail) == [field]


@pytest.mark.parametrize(
    "request_id", ["", "a", "x" * 64, "ü" * 64, "\0", 0, -1, 2**63, None, -(2**63)]
)
def test_a_request_id_is_read_and_written_as_it_is(request_id: Any) -> None:
    frame = parse(json.dumps({"event_type": "room.list", "request_id": request_id}))

    assert frame.request_id == request_id
    answer = json.loads(protocol.status(frame.request_id))
    assert answer.get("request_id") == request_id


def test_the_request_id_of_a_frame_that_is_wrong_otherwise_is_known() -> None:
    for envelope in ({}, {"event_type": 1}, {"event_type": "x", "data": {"a": "\0"}}):
        assert refused(json.dumps({**envelope, "request_id": 7})).request_id == 7


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ("\0", "data"),
        ({"content": "a\0b"}, "content"),
        ({"a\0": 1}, "data"),
        ({"extra_fields": {"media": [{}, {"caption": "\0"}]}}, "extra_fields.media.1.caption"),
        ({"a": {"b\0": 1}}, "a"),
        (["", "\0"], "1"),
    ],
)
def test_the_character_that_no_database_takes_is_refused_by_field(data: Any, field: str) -> None:
    problem = refused(json.dumps({"event_type": "message.send", "data": data}))
    assert problem.detail == {field: "The character U+0000 is not allowed."}


def test_of_the_way_to_that_character_the_start_is_told() -> None:
    detail = refused(json.dumps({"event_type": "x", "data": {"k" * 500: ["\0"]}})).detail
    assert isinstance(detail, dict)
    assert [len(path) for path in detail] == [100]


def test_looking_for_that_character_copies_no_keys_for_each_level() -> None:
    length, levels = 10_000, protocol.DEEPEST
    data: Any = 0
    for _ in range(levels):
        data = {"k" * length: data}

    tracemalloc.start()
    try:
        assert protocol._find_nul([data, "\0"]) == "1"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < levels * length


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "u0000", "\u2028", "\x7f", "😀"])
def test_text_that_only_looks_odd_is_taken(text: str) -> None:
    frame = parse(json.dumps({"event_type": "message.send", "data": {"content": text}}))
    assert frame.data == {"content": text}


def test_a_number_too_large_for_64_bits_loses_only_its_precision() -> None:
    frame = parse('{"event_type": "x", "data": {"n": 123456789012345678901234567890}}')
    assert frame.data["n"] == pytest.approx(1.2345678901234568e29)


def test_brackets_in_text_are_no_nesting() -> None:
    content = "[{" * 1000
    frame = parse(json.dumps({"event_type": "message.send", "data": {"content": content}}))
    assert frame.data == {"content": content}


def test_as_deep_as_allowed_is_taken_and_one_level_more_is_not() -> None:
    def nested(levels: int) -> str:
        # The frame is the first level.
        inner = "[" * (levels - 1) + "]" * (levels - 1)
        return f'{{"event_type": "x", "data": {inner}}}'

    assert parse(nested(protocol.DEEPEST)).event_type == "x"
    refused(nested(protocol.DEEPEST + 1))


@given(text=st.text() | JSON.map(json.dumps))
@settings(deadline=None)
def test_any_text_is_a_frame_or_malformed(text: str) -> None:
    try:
        frame = parse(text)
    except Malformed as problem:
        answer = json.loads(protocol.error(problem, problem.request_id))
        assert answer["error"]["code"] == 4003
    else:
        assert isinstance(frame.event_type, str)


@given(data=JSON, request_id=st.none() | st.text(max_size=64) | st.integers(-(2**63), 2**63 - 1))
@settings(deadline=None)
def test_whatever_is_parsed_can_be_written_again(data: Any, request_id: Any) -> None:
    text = json.dumps({"event_type": "x", "data": data, "request_id": request_id})
    try:
        frame = parse(text)
    except Malformed:
        assert "\\u0000" in text
        return
    written = json.loads(protocol.event("x", frame.data, frame.request_id))
    assert written["data"] == frame.data
    assert written.get("request_id") == frame.request_id


def test_an_event_has_no_other_keys() -> None:
    assert protocol.event("a", {"b": 1}) == '{"eventType":"a","data":{"b":1}}'
    assert protocol.event("a", None, 1) == '{"eventType":"a","data":null,"request_id":1}'


def test_the_bare_answers_are_bare() -> None:
    assert protocol.status() == '{"status":"success"}'
    assert protocol.status("r") == '{"status":"success","request_id":"r"}'
    assert protocol.unknown_event() == '{"error":"invalid event type"}'
    assert protocol.unknown_event(0) == '{"error":"invalid event type","request_id":0}'


@pytest.mark.parametrize("detail", ["a sentence", ["a", "list"], {"field": "a problem"}])
def test_an_error_has_its_code_and_detail(detail: Any) -> None:
    assert json.loads(protocol.error(NotFound(detail))) == {
        "error": {"code": 4004, "detail": detail}
    }
    assert json.loads(protocol.error(Invalid(detail), 3))["request_id"] == 3
