"""The mirror of the stress test: what a careful client makes of an erased user."""

from typing import Any

import pytest

from tests.stress.mirror import Mirror, room_of


def user(number: int) -> dict[str, Any]:
    return {"id": number, "username": f"user {number}"}


def message(key: str, sender: int, *people: int, quote: Any = None) -> dict[str, Any]:
    return {
        "id": key,
        "room": {"id": "room"},
        "sender": user(sender),
        "created_at": f"2026-01-0{key}",
        "read_receipts": [{"reader": user(each)} for each in people],
        "reactions": [{"id": f"{key}-{each}", "user": user(each)} for each in people],
        "delivered_to": [user(each)["username"] for each in people],
        "parent_message": quote,
        "forwarded_from": None,
    }


@pytest.mark.parametrize("fate", ["keep", "blank", "delete"])
def test_an_erased_user_is_forgotten(fate: str) -> None:
    mirror = Mirror()
    room = {"id": "room", "participants": [user(1), user(2), user(3)]}
    mirror.take_room(room, [message("2", 2), message("1", 1, 2, 3)], more=False)
    mirror.apply("message.dispatch", message("3", 1, quote=message("1", 1, 2)))
    mirror.apply("message.dispatch", message("4", 1, quote=message("2", 2)))
    mirror.apply(
        "roomremovemembers.dispatch", {"room": {"id": "room", "participants": [user(1), user(3)]}}
    )
    erased = {"room_id": "room", "user_id": 2, "messages": fate}

    assert room_of("usererase.dispatch", erased) == "room"
    mirror.apply("usererase.dispatch", erased)

    state = mirror.state("room", 1)["messages"]
    assert state["1"]["delivered_to"] == ["user 3"]
    assert [each["reader"]["id"] for each in state["1"]["read_receipts"]] == [3]
    assert [each["user"]["id"] for each in state["1"]["reactions"]] == [3]
    assert state["3"]["parent_message"]["read_receipts"] == []
    assert ("2" in state) is (fate != "delete")
    assert (state["4"]["parent_message"] is None) is (fate == "delete")
