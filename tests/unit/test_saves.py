"""Saves: what users put aside, who hears of it, and what becomes of it."""

import json
from typing import Any

import pytest
from pytest_django import Settings

import gql_chat
from gql_chat.accounts.export import export_lines
from gql_chat.errors import Conflict, Invalid, NotFound, PermissionDenied
from gql_chat.models import GroupChat, SavedMessage, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.streams import Envelope, room_stream, user_stream, withhold_quotes
from tests.unit.making import perform

pytestmark = pytest.mark.django_db


def say(user: Any, room: Any, text: str = "hello", **more: Any) -> Any:
    return EventHandler(user.pk).send_message(room.pk, text, **more).message_id


def save(user: Any, message_id: Any) -> None:
    perform(user, "message.save", {"message_id": str(message_id)})


def unsave(user: Any, message_id: Any) -> None:
    perform(user, "message.unsave", {"message_id": str(message_id)})


def page(user: Any, **paginate: Any) -> dict[str, Any]:
    data = {"paginate": paginate} if paginate else {}
    result: dict[str, Any] = perform(user, "saved.list", data)[0]
    return result


def saved(user: Any, **paginate: Any) -> list[str]:
    return [each["message"]["content"] for each in page(user, **paginate)["data"]["saved"]]


def log(stream: str) -> list[Any]:
    return list(StreamEvent.objects.filter(stream=stream).order_by("seq"))


def replayed(user: Any) -> str:
    frames = [
        Envelope(row.stream, row.seq, row.kind, row.payload, row.change)
        for row in log(user_stream(user.pk))
    ]
    return "".join(frame.payload for frame in withhold_quotes(user.pk, frames))


def test_the_user_alone_is_told(group: GroupChat, alice: Any, bob: Any) -> None:
    message = say(alice, group)
    before = len(log(room_stream(group.pk)))

    save(bob, message)

    told = json.loads(log(user_stream(bob.pk))[-1].payload)
    assert (told["status"], told["action"]) == ("successful", "save")
    assert told["message"]["id"] == str(message)
    assert len(log(room_stream(group.pk))) == before
    assert log(user_stream(alice.pk)) == []
    (found,) = page(bob)["data"]["saved"]
    assert found == {name: told[name] for name in ("message", "saved_at")}
    assert saved(alice) == []

    unsave(bob, message)

    assert json.loads(log(user_stream(bob.pk))[-1].payload) == {**told, "action": "unsave"}
    assert saved(bob) == []


def test_a_message_is_saved_once(group: GroupChat, alice: Any, bob: Any) -> None:
    message = say(alice, group)
    with pytest.raises(NotFound):
        unsave(bob, message)
    save(bob, message)
    save(alice, message)

    with pytest.raises(Conflict):
        save(bob, message)


def test_what_was_saved_last_comes_first(
    group: GroupChat, channel: Any, alice: Any, bob: Any
) -> None:
    rooms = [group, channel, group, channel]
    messages = [say(alice, room, str(number)) for number, room in enumerate(rooms)]
    for message in messages:
        save(bob, message)

    first = page(bob, size=2)

    assert [each["message"]["content"] for each in first["data"]["saved"]] == ["3", "2"]
    assert (first["has_next"], first["has_previous"]) == (True, False)
    assert saved(bob, size=5, before=str(messages[2])) == ["1", "0"]
    with pytest.raises(NotFound):
        page(alice, size=5, before=str(messages[2]))


def test_leaving_hides_what_was_saved(group: GroupChat, alice: Any, bob: Any) -> None:
    message = say(alice, group, "a secret")
    save(bob, message)
    assert "a secret" in replayed(bob)

    EventHandler(bob.pk).leave_room(group.pk)

    assert saved(bob) == []
    assert "a secret" not in replayed(bob)
    with pytest.raises(PermissionDenied):
        unsave(bob, message)
    EventHandler(alice.pk).add_members(group.pk, [bob.pk])
    assert saved(bob) == ["a secret"]
    EventHandler(bob.pk).leave_room(group.pk)
    EventHandler(alice.pk).add_members(group.pk, [bob.pk], history="none")
    assert saved(bob) == []
    assert "a secret" not in replayed(bob)


@pytest.mark.parametrize("soft", [False, True])
def test_deleting_leaves_nothing_saved(
    soft: bool, group: GroupChat, alice: Any, bob: Any, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": soft}
    message = say(alice, group, "a secret")
    save(bob, message)

    EventHandler(alice.pk).delete_messages([message])

    assert not SavedMessage.objects.exists()
    assert not StreamEvent.objects.filter(payload__contains="a secret").exists()
    for act in (save, unsave):
        with pytest.raises((Invalid, NotFound)):
            act(bob, message)


def test_a_user_saves_so_many(group: GroupChat, alice: Any, bob: Any, settings: Settings) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_SAVED": 1}
    first, second = say(alice, group, "1"), say(alice, group, "2")
    save(bob, first)
    save(alice, second)

    with pytest.raises(Invalid):
        save(bob, second)


def test_a_hidden_message_is_not_saved(alice: Any, bob: Any) -> None:
    room = EventHandler(alice.pk).create_room("GroupChat", name="g", fields={"history": "joined"})
    hidden = say(alice, room, "before")
    EventHandler(alice.pk).add_members(room.pk, [bob.pk])
    answer = say(alice, room, "after", parent_message_id=hidden)

    with pytest.raises(PermissionDenied):
        save(bob, hidden)
    save(bob, answer)

    assert page(bob)["data"]["saved"][0]["message"]["parent_message"] is None
    assert "before" not in log(user_stream(bob.pk))[-1].payload


def test_server_code_saves_for_a_user(group: GroupChat, alice: Any, bob: Any) -> None:
    message = say(alice, group)

    gql_chat.save_message(message, by=bob)

    assert saved(bob) == ["hello"]
    lines = [json.loads(line) for line in export_lines(bob.pk)]
    assert [line["message_id"] for line in lines if line["kind"] == "saved_message"] == [
        str(message)
    ]
    gql_chat.unsave_message(message, by=bob)
    assert saved(bob) == []
