"""The committed contracts, in the hands of the tools that they are for."""

import json
from typing import Any

import pytest

from tests.exports import SCHEMA, TYPES, stale
from tests.frames import NORMAL, Recorded, check
from tests.node.packages import need, run

#: How AsyncAPI's parser numbers them; what is above is information and hints.
ERROR, WARNING = 0, 1

ROOM = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def packages() -> None:
    """The npm packages, without which none of this can run."""
    need()


def test_the_parser_of_asyncapi_finds_no_error_and_no_warning() -> None:
    found = json.loads(run("node", "parse_asyncapi.mjs", str(SCHEMA / "chat.asyncapi.json")))

    assert [one for one in found["found"] if one["severity"] in (ERROR, WARNING)] == []
    assert {"message.send", "message.dispatch", "chat.notifications"} <= set(found["messages"])


def test_what_npm_makes_of_the_contracts_is_committed() -> None:
    assert stale() == [], f"run: make exports (writes {TYPES.name} and the clients)"


# Frames


def sent(data: Any, event_type: str = "message.send", **more: Any) -> Recorded:
    return Recorded(1, "sent", json.dumps({"event_type": event_type, "data": data, **more}))


def received(frame: Any) -> Recorded:
    return Recorded(1, "received", json.dumps(frame))


REFUSAL = received({"error": {"code": 4003, "detail": "No."}})
CONTENT = {"room_id": ROOM, "content": "Hello"}
CLOSED_BY_CLIENT = Recorded(1, "closed", NORMAL)
CLOSED_BY_SERVER = Recorded(1, "closed", "1009")


@pytest.mark.parametrize(
    "frames",
    [
        [sent(CONTENT), received({"status": "success"})],
        [sent(CONTENT, request_id=7), received({"status": "success", "request_id": 7})],
        [sent({**CONTENT, "sender": 1}, more=1)],  # ignored by the server
        [sent({"action": "delete", "message_id": [ROOM], "x": 1}, "message.modify")],
        [sent([], "room.list")],
        [sent({"room_id": 1}), REFUSAL],
        [Recorded(1, "sent", "no frame"), REFUSAL],
        [sent({"room_id": 1}), CLOSED_BY_SERVER],
        [received({"eventType": "roomdelete.dispatch", "data": {"room_id": ROOM}})],
        [received({"error": "invalid event type"})],
        [received({"error": {"code": 4503, "detail": {"message": "", "retry_after": 2}}})],
    ],
)
def test_frames_of_the_contract_pass(frames: list[Recorded]) -> None:
    check(frames)


@pytest.mark.parametrize(
    ("frames", "named"),
    [
        ([sent({"content": "Hello"})], "room_id"),
        ([sent({**CONTENT, "content": None})], "/data/content"),
        ([sent({**CONTENT, "extra_fields": {"sender": 1}})], "sender"),
        ([sent(CONTENT, "message.sent")], "no event"),
        ([sent({**CONTENT, "action": "delet"}, "message.modify")], "action"),
        ([sent(CONTENT, request_id="x" * 65)], "request_id"),
        ([sent([])], "/data"),
        ([Recorded(1, "sent", "no frame"), CLOSED_BY_CLIENT], "not JSON"),
        ([sent({"room_id": 1}), REFUSAL, sent({"room_id": 2})], '"room_id": 2'),
        ([REFUSAL, sent({"room_id": 1})], '"room_id": 1'),
        ([sent({"room_id": 1}), Recorded(2, "received", REFUSAL.text)], '"room_id": 1'),
        ([received({"eventType": "roomdelete.dispatch", "data": {"room_id": 1}})], "room_id"),
        (
            [received({"eventType": "roomdelete.dispatch", "data": {"room_id": ROOM, "x": 1}})],
            "additional properties x",
        ),
        (
            [received({"eventType": "roomdelete.dispatch", "data": {"room_id": ROOM}, "seq": 1})],
            "stream",
        ),
        ([received({"eventType": "room.delete", "data": {}})], "room.delete"),
        ([received({"error": {"code": 4000, "detail": ""}})], "4000"),
        ([received({"error": {"code": 4029, "detail": "later"}})], "4029"),
        ([received({"status": "done"})], "done"),
    ],
)
def test_frames_beside_the_contract_are_named(frames: list[Recorded], named: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check(frames)

    assert named in str(caught.value)
