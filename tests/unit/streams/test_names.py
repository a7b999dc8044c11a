"""What a frame of the log is once a user is taken out of it."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from gql_chat.models import StreamEvent
from gql_chat.streams import erase_names, names

pytestmark = pytest.mark.django_db

BOB = {
    "id": 7,
    "username": 'b"ob_%',
    "email": "bob@example.com",
    "first_name": "Bob",
    "last_name": "",
}
ALICE = {**BOB, "id": 77, "username": "alice", "email": "alice@example.com"}
NOBODY = {"id": 0, "username": "", "email": "", "first_name": "", "last_name": ""}
USERS = {7: BOB["username"]}


def log(payload: Any, stream: str = "room:a", seq: int | None = None) -> StreamEvent:
    """Write a frame, as the outbox does."""
    place = StreamEvent.objects.filter(stream=stream).count() + 1 if seq is None else seq
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    return StreamEvent.objects.create(stream=stream, seq=place, kind="Any", payload=text)


def without(payload: Any, **options: Any) -> Any:
    """What a frame is after bob was taken out of the log."""
    row = log(payload)
    erase_names(USERS, **options)
    row.refresh_from_db()
    return json.loads(row.payload)


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        ({"message": {"sender": BOB}}, {"message": {"sender": NOBODY}}),
        ({"room": {"creator": BOB}}, {"room": {"creator": NOBODY}}),
        (
            {"room": {"participants": [ALICE, BOB], "admins": [BOB]}},
            {"room": {"participants": [ALICE], "admins": []}},
        ),
        (
            {"read_receipts": [{"reader": BOB, "read_at": "x"}, {"reader": ALICE}]},
            {"read_receipts": [{"reader": ALICE}]},
        ),
        ({"reactions": [{"user": BOB, "reaction_content": "+1"}]}, {"reactions": []}),
        ({"delivered_to": ["alice", BOB["username"]]}, {"delivered_to": ["alice"]}),
        (
            {"new_members": ["alice", BOB["username"]], "added_by": BOB["username"]},
            {"new_members": ["alice", ""], "added_by": ""},
        ),
        ({"removed_members": [BOB["username"]]}, {"removed_members": [""]}),
        (
            {"message": f"You have been removed by {BOB['username']}"},
            {"message": "You have been removed"},
        ),
        # As features show users.
        ({"user": {"id": 7, "username": BOB["username"]}}, {"user": {"id": 0, "username": ""}}),
        # As an older version, or a project's own type, showed them.
        (
            {"sender": {**BOB, "age": 7, "vip": True, "tags": ["x"], "home": {"city": "Bonn"}}},
            {"sender": {**NOBODY, "age": 0, "vip": False, "tags": [], "home": {"city": ""}}},
        ),
        (
            {"sender": {**BOB, "score": 1.5, "boss": None}},
            {"sender": {**NOBODY, "score": 0.0, "boss": None}},
        ),
    ],
    ids=str,
)
def test_where_the_user_was_is_nobody(shown: Any, left: Any) -> None:
    assert without(shown) == left


@pytest.mark.parametrize(
    "shown",
    [
        {"message": {"sender": ALICE, "content": f"hello {BOB['username']}"}},
        {"content": BOB["username"], "name": BOB["username"]},
        # Something else with such an id, or the key of somebody else.
        {"poll": {"id": 7, "title": "Lunch?"}},
        {"sender": {**ALICE, "id": 17}, "user": {"id": True, "username": "x"}},
        {"message": "You have been removed by alice"},
        {"list": [7, "7", None]},
    ],
    ids=str,
)
def test_what_is_not_the_user_stays(shown: Any) -> None:
    assert without(shown) == shown


def test_what_the_user_wrote_goes_only_where_it_is_asked() -> None:
    message = {"sender": BOB, "content": "mine", "attachments": [{"media_url": "x"}]}
    quoting = {"sender": ALICE, "content": "hers", "parent_message": message}

    assert without(quoting)["parent_message"] == {**message, "sender": NOBODY}
    assert without(quoting, blank=True) == {
        **quoting,
        "parent_message": {"sender": NOBODY, "content": "", "attachments": []},
    }


def test_only_the_wanted_streams_are_looked_at() -> None:
    rows = [log({"sender": BOB}, stream) for stream in ("room:a", "room:b", "user:7")]

    assert erase_names(USERS, within=["room:a", "user:7", "room:none"]) == 2

    left = [BOB["username"] in json.loads(row.payload)["sender"]["username"] for row in _read(rows)]
    assert left == [False, True, False]


def _read(rows: list[StreamEvent]) -> list[StreamEvent]:
    for row in rows:
        row.refresh_from_db()
    return rows


@pytest.mark.parametrize("within", [None, ["room:a"]], ids=["all", "one"])
def test_a_long_log_is_written_in_batches(
    monkeypatch: pytest.MonkeyPatch, within: list[str] | None
) -> None:
    monkeypatch.setattr(names, "_ROWS_AT_ONCE", 3)
    monkeypatch.setattr(names, "_KEYS_AT_ONCE", 4)
    rows = [log({"sender": BOB if n % 3 else ALICE, "n": n}) for n in range(20)]
    told: list[tuple[int, int]] = []

    assert erase_names(USERS, within=within, told=lambda *step: told.append(step)) == 13
    assert erase_names(USERS, within=within) == 0

    assert [json.loads(row.payload)["n"] for row in _read(rows)] == list(range(20))
    assert [row.seq for row in rows] == list(range(1, 21))
    assert not any("bob@" in row.payload for row in rows)
    if within is None:
        assert told[-1] == (20, 20)


def test_several_users_go_at_once() -> None:
    row = log({"room": {"participants": [ALICE, BOB]}, "removed_by": "alice"})

    erase_names({**USERS, 77: "alice"})

    row.refresh_from_db()
    assert json.loads(row.payload) == {"room": {"participants": []}, "removed_by": ""}


def test_an_empty_log_and_no_users_are_nothing(settings: Settings) -> None:
    assert erase_names(USERS) == 0
    assert erase_names({}, within=["room:a"]) == 0
