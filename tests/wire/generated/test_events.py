"""Generated data: each event has one documented answer.

Every event of PROTOCOL 1 is taken as it should be, and up to three places of it are replaced by
generated values, left out, or joined by fields that nobody knows.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.generated.events import (
    EVENTS,
    EVERY_DISPATCH,
    ROOM,
    USING_UP,
    Event,
    Path,
    event,
    replaced,
)
from tests.wire.generated.exchange import (
    Exchange,
    World,
    check_answer,
    check_dispatches,
    check_error,
)
from tests.wire.generated.frames import (
    ABSENT,
    EDGES,
    IDS,
    USERS,
    Named,
    Pairs,
    bounded,
    characters,
    values,
    write,
)


def changes_of(known: Event) -> st.SearchStrategy[list[tuple[Path, Any]]]:
    paths = [*known.paths(), ("no_such_field",)]
    change = st.tuples(st.sampled_from(paths), st.one_of(st.just(ABSENT), values))
    return st.lists(change, min_size=1, max_size=3)


@pytest.mark.parametrize("known", EVENTS, ids=str)
@bounded
@given(drawn=st.data())
async def test_an_event_with_generated_fields_has_one_documented_answer(
    drawn: st.DataObject, known: Event, exchange: Exchange, world: World
) -> None:
    data: Any = dict(known.data)
    for path, value in drawn.draw(changes_of(known), label="changes"):
        data = replaced(data, path, value)

    await check_event(exchange, world, known, data)


PLACES = [
    ("message.send", ("content",)),
    ("message.send", ("client_id",)),
    ("message.send", ("extra_fields", "media", 0, "metadata")),
    ("message.send", ("extra_fields", "media", 0, "metadata", "key")),
    ("message.send", ("no_such_field",)),
    ("message.acknowledged", ("message_id", 0)),
    ("room.add_members", ("members", 0)),
    ("room.messages", ("paginate", "page")),
    ("room.messages", ("paginate", "size")),
    ("room.create", ("participants", 0)),
    ("session.resume", ("streams", "room:x")),
    ("session.resume", ("epoch",)),
]


@pytest.mark.parametrize(("event_type", "path"), PLACES)
async def test_every_edge_has_one_documented_answer(
    event_type: str, path: Path, exchange: Exchange, world: World
) -> None:
    known = next(known for known in EVENTS if known.event_type == event_type)

    for edge in EDGES:
        await check_event(exchange, world, known, replaced(known.data, path, edge))


async def check_event(exchange: Exchange, world: World, known: Event, data: Any) -> None:
    frame = {"event_type": known.event_type, "data": data, "request_id": "this"}
    answer, dispatches = await exchange.send(write(frame, world.things))

    if "error" in answer:
        check_error(answer)
        # Without its id only where the frame could not be read at all.
        assert answer.get("request_id") == "this" or answer["error"]["code"] == 4003
        assert dispatches == []
        return
    check_answer(known, answer, "this")
    resumed = known.event_type == "session.resume"
    check_dispatches(dispatches, EVERY_DISPATCH if resumed else known.dispatches, resumed=resumed)
    if known.event_type in USING_UP:
        world.renew()
        await exchange.heartbeat()


@pytest.mark.parametrize("known", EVENTS, ids=str)
async def test_the_event_itself_succeeds(known: Event, exchange: Exchange, world: World) -> None:
    # Or else what is generated above would only test what is wrong anyway.
    frame = {"event_type": known.event_type, "data": known.data, "request_id": "this"}
    answer, dispatches = await exchange.send(write(frame, world.things))

    assert "error" not in answer, answer
    check_answer(known, answer, "this")
    assert {dispatch["eventType"] for dispatch in dispatches} <= known.dispatches


@pytest.mark.parametrize("known", EVENTS, ids=str)
@settings(bounded, max_examples=10)
@given(drawn=st.data())
async def test_an_event_with_generated_data_has_one_documented_answer(
    drawn: st.DataObject, known: Event, exchange: Exchange, world: World
) -> None:
    data = drawn.draw(st.one_of(st.just(ABSENT), values), label="data")

    await check_event(exchange, world, known, data)


streams = st.one_of(
    st.text(characters, max_size=90),
    st.sampled_from(["room:", "user:", "room:x", "user:x", "other:1", "room:" + "9" * 5000]),
    st.sampled_from([*IDS, *USERS]).map(Named),
)
places = st.one_of(st.integers(-2, 20), values)


@bounded
@given(wanted=st.lists(st.tuples(streams, st.booleans(), places), max_size=8))
async def test_generated_streams_to_resume_have_one_documented_answer(
    wanted: list[tuple[Any, bool, Any]], exchange: Exchange, world: World
) -> None:
    (known,) = (known for known in EVENTS if known.event_type == "session.resume")
    pairs = []
    for name, prefixed, seq in wanted:
        if isinstance(name, Named):
            kind = "user:" if name.name in USERS else "room:"
            name = f"{kind if prefixed else ''}{world.things[name.name]}"
        pairs.append((name, seq))

    await check_event(exchange, world, known, {"streams": Pairs(tuple(pairs))})


@bounded
@given(client_id=st.one_of(values, st.text(characters, max_size=70)), times=st.integers(1, 2))
async def test_a_generated_client_id_has_one_documented_answer_each_time(
    client_id: Any, times: int, exchange: Exchange, world: World
) -> None:
    known = event("message.send", {}, "message.dispatch", answer=[None, "message.dispatch"])
    data = {**ROOM, "content": "Once", "client_id": client_id}

    for _ in range(times):
        await check_event(exchange, world, known, data)
