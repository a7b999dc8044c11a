"""Messages in rendered events: where they stand, and what is left of one that is blanked."""

from copy import deepcopy
from typing import Any

import pytest

from gql_chat.streams import shown
from gql_chat.streams.shown import MESSAGE, QUOTE


def message(key: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": key,
        "room": {"id": "here"},
        "sender": {"id": 1, "username": "alice"},
        "content": f"text of {key}",
        "is_deleted": False,
        "is_edited": False,
        "is_forwarded": False,
        "forwarded_from": None,
        "parent_message": None,
        "delivered_to": ["bob"],
        "read_receipts": [{"reader": {"id": 2}, "read_at": "now"}],
        "reactions": [{"id": "r", "reaction_content": "!"}],
        "attachments": [{"id": "a", "metadata": {"content": "x"}}],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **fields,
    }


BLANK = {
    "content": "",
    "is_deleted": True,
    "delivered_to": [],
    "read_receipts": [],
    "reactions": [],
    "attachments": [],
    "forwarded_from": None,
    "parent_message": None,
}


def found(payload: Any) -> dict[str, str]:
    return {each["id"]: kind for each, kind in shown.find_messages(payload)}


@pytest.mark.parametrize(
    ("payload", "messages"),
    [
        ({"message": message("m")}, {"m": MESSAGE}),
        ({"messages": [message("m"), message("n")]}, {"m": MESSAGE, "n": MESSAGE}),
        (
            {"message": message("m", parent_message=message("p"))},
            {"m": MESSAGE, "p": QUOTE},
        ),
        # A copy belongs to the forward.
        ({"message": message("m", forwarded_from=message("s"))}, {"m": MESSAGE}),
        # A project's own event, and a project's own field that quotes.
        ({"poll": {"of": [{"about": message("m")}]}}, {"m": MESSAGE}),
        ({"message": message("m", thread=[message("t")])}, {"m": MESSAGE, "t": QUOTE}),
        ({"message_ids": ["m"], "status": "successful"}, {}),
        ({"room": {"id": "r", "participants": [{"id": 1}]}}, {}),
        ({}, {}),
        (None, {}),
    ],
)
def test_messages_are_found_wherever_they_stand(payload: Any, messages: dict[str, str]) -> None:
    assert found(payload) == messages


def test_of_a_blanked_message_is_left_that_it_was_there() -> None:
    quoting = message("m", parent_message=message("p"), forwarded_from=message("s"))
    whole = deepcopy(quoting)

    shown.blank(quoting, MESSAGE)

    assert quoting == {**whole, **BLANK}


def test_what_the_schema_does_not_show_is_not_added() -> None:
    bare = {"id": "m", "room": {"id": "here"}, "sender": {}, "content": "text"}

    shown.blank(bare, QUOTE)

    assert bare == {"id": "m", "room": {"id": "here"}, "sender": {}, "content": ""}


def test_an_edit_blanks_the_fields_that_it_changes() -> None:
    edited = message("m", parent_message=message("p"))
    whole = deepcopy(edited)

    shown.blank_fields(edited, MESSAGE, frozenset({"content", "priority"}))

    assert edited == {**whole, "content": "", "is_edited": True}


def test_a_copy_is_known_by_its_source_and_can_be_dropped() -> None:
    forward, plain = message("m", forwarded_from=message("s")), message("n")
    assert (shown.copied(forward), shown.copied(plain)) == ("s", None)

    shown.drop_copy(forward)

    assert forward == message("m")


def test_of_a_message_that_is_kept_though_deleted_the_others_words_stay() -> None:
    kept = message("m", is_deleted=True, content="", attachments=[])
    alive = message("n")

    shown.hide_deleted({"messages": [kept, alive]})

    assert kept == message("m", is_deleted=True, content="", attachments=[])
    assert alive == message("n")


def test_without_a_schema_nothing_is_blanked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_find_blanks", None)

    for blank in (shown.blank, lambda *given: shown.blank_fields(*given, frozenset())):
        with pytest.raises(RuntimeError, match="setup"):
            blank(message("m"), MESSAGE)
