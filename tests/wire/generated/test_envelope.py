"""Generated envelopes, and frames of every size: each has one documented answer."""

import json
import logging
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gql_chat.conf import chat_settings
from tests.conftest import Connect
from tests.wire.generated.events import (
    EVENT_TYPES,
    EVERY_DISPATCH,
)
from tests.wire.generated.exchange import (
    Exchange,
    World,
    check_any,
    check_dispatches,
    check_error,
)
from tests.wire.generated.frames import (
    ABSENT,
    Named,
    Pairs,
    Raw,
    bounded,
    values,
    write,
)


def is_request_id(value: Any) -> bool:
    """Whether it is echoed; numbers beyond 64 bits are left open."""
    if isinstance(value, str):
        return len(value) <= 64
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


@bounded
@given(request_id=values)
@example(request_id="x" * 64)
@example(request_id="x" * 65)
@example(request_id="")
@example(request_id=0)
@example(request_id=-(2**63))
async def test_a_generated_request_id_is_echoed_or_refused(
    request_id: Any, exchange: Exchange, world: World
) -> None:
    if isinstance(request_id, Named):
        request_id = world.things[request_id.name]
    frame = {"event_type": "session.heartbeat", "request_id": request_id}

    answer, dispatches = await exchange.send(write(frame, world.things))

    assert dispatches == []
    surrogates = isinstance(request_id, str) and not _is_unicode(request_id)
    if request_id is None or request_id is ABSENT:
        assert answer == {"status": "success"}
    elif is_request_id(request_id) and not surrogates:
        assert answer == {"status": "success", "request_id": request_id}
    elif "error" in answer:
        check_error(answer)
        assert "request_id" not in answer
    else:
        # Raw text may be a whole number, too.
        assert isinstance(request_id, Raw | int)
        assert answer["status"] == "success"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@bounded
@given(event_type=values, data=values, request_id=st.one_of(st.just(ABSENT), st.integers(0, 9)))
async def test_a_generated_event_type_has_one_documented_answer(
    event_type: Any, data: Any, request_id: Any, exchange: Exchange, world: World
) -> None:
    frame = {"event_type": event_type, "data": data, "request_id": request_id}

    answer, dispatches = await exchange.send(write(frame, world.things))

    assert dispatches == []
    if answer.get("error") == "invalid event type":
        assert answer.keys() - {"request_id"} == {"error"}
        assert isinstance(event_type, str | Named)
    else:
        check_error(answer)
        assert answer["error"]["code"] == 4003


documents = st.one_of(
    values,
    st.fixed_dictionaries(
        {},
        optional={
            "event_type": st.one_of(st.sampled_from(EVENT_TYPES), values),
            "data": values,
            "request_id": values,
            "eventType": values,
            "": values,
        },
    ),
    st.lists(
        st.tuples(st.sampled_from(["event_type", "data", "request_id"]), values), max_size=6
    ).map(lambda pairs: Pairs(tuple(pairs))),
)


@settings(bounded, max_examples=80)
@given(document=documents)
async def test_a_generated_document_has_one_documented_answer(
    document: Any, exchange: Exchange, world: World
) -> None:
    answer, dispatches = await exchange.send(write(document, world.things))

    check_any(answer)
    check_dispatches(dispatches, EVERY_DISPATCH, resumed=True)


@bounded
@given(text=st.text(max_size=300))
async def test_generated_text_is_a_validation_error(text: str, exchange: Exchange) -> None:
    assume(not _is_object(text))

    answer, dispatches = await exchange.send(text)

    check_error(answer)
    assert answer["error"]["code"] == 4003
    assert dispatches == []


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@bounded
@given(data=st.one_of(st.binary(max_size=300), documents.map(lambda _: b'{"event_type": "x"}')))
async def test_generated_bytes_are_a_validation_error(data: bytes, exchange: Exchange) -> None:
    answer, dispatches = await exchange.send(data)

    check_error(answer)
    assert answer["error"]["code"] == 4003
    assert dispatches == []


# Size


def padded(size: int, letter: str) -> str:
    """A frame of so many bytes."""
    start, end = '{"event_type": "session.heartbeat", "data": {"content": "', '"}}'
    room = size - len(start) - len(end)
    count = room // len(letter.encode())
    return start + letter * count + "x" * (room - count * len(letter.encode())) + end


@settings(bounded, max_examples=8)
@given(below=st.integers(0, 100_000), letter=st.sampled_from(["x", "\u00e9", "\U0001f600"]))
@example(below=0, letter="x")
async def test_a_frame_of_up_to_the_largest_size_is_answered(
    below: int, letter: str, exchange: Exchange
) -> None:
    frame = padded(chat_settings.MAX_FRAME_BYTES - below, letter)

    answer, _ = await exchange.send(frame)

    assert answer == {"status": "success"}


@settings(bounded, max_examples=8)
@given(
    above=st.integers(1, 100_000),
    letter=st.sampled_from(["x", "\u00e9", "\U0001f600"]),
    binary=st.booleans(),
)
@example(above=1, letter="x", binary=False)
@example(above=1, letter="\U0001f600", binary=True)
async def test_a_frame_that_is_too_large_closes_the_socket(
    above: int,
    letter: str,
    binary: bool,
    connect: Connect,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = await connect(world.alice)
    frame = padded(chat_settings.MAX_FRAME_BYTES + above, letter)

    await client.send_raw(frame.encode() if binary else frame)

    assert await client.closed() == 1009
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
