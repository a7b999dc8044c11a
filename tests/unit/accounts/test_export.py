"""What an export has of a user, and that it takes little memory and few statements."""

import json
import tracemalloc
from itertools import islice
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gql_chat import acting_as, errors, export_user, send_message
from gql_chat.accounts import export
from gql_chat.models import GroupChat, Membership, Message, OneToOneChat
from gql_chat.models.accounts import nobody_key

pytestmark = pytest.mark.django_db


def lines_of(user: Any) -> dict[str, list[Any]]:
    """The lines of an export, by their kind."""
    found: dict[str, list[Any]] = {}
    for text in export_user(user):
        assert text.endswith("\n")
        assert "\n" not in text[:-1]
        line = json.loads(text)
        found.setdefault(line.pop("kind"), []).append(line)
    return found


def test_all_that_a_user_did_and_was_told_is_in_it(
    group: GroupChat, pair: OneToOneChat, alice: Any, bob: Any
) -> None:
    media = {
        "media_url": "https://files.example/a.png",
        "media_type": "image",
        "mime_type": "image/png",
        "caption": "two\nlines",
    }
    own = send_message(group, "mine", sender=bob, media=[media], client_id="once")
    other = send_message(group, "alice's", sender=alice)
    waiting = send_message(pair, "unheard", sender=alice)
    acting_as(bob).acknowledge_messages([other.pk])
    acting_as(bob).read_messages([other.pk])
    acting_as(bob).add_reaction(other.pk, "+1")
    acting_as(alice).add_reaction(own.pk, "ha")
    acting_as(bob).open_session("socket")
    acting_as(alice).update_room(group.pk, {}, {"colour": "red"})
    acting_as(alice).set_leaders(group.pk, "admins", [bob.pk], lead=True)

    found = lines_of(bob)

    assert found["user"] == [
        {
            "id": bob.pk,
            "username": bob.username,
            "email": bob.email,
            "first_name": "",
            "last_name": "",
        }
    ]
    rooms = {room["id"]: room for room in found["room"]}
    assert rooms.keys() == {str(group.pk), str(pair.pk)}
    assert rooms[str(group.pk)]["role"] == "admin"
    assert rooms[str(group.pk)]["preferences"] == {"colour": "red"}
    assert not rooms[str(group.pk)]["is_creator"]
    (message,) = found["message"]
    assert (message["id"], message["content"]) == (str(own.pk), "mine")
    (attachment,) = message["attachments"]
    assert (attachment["media_url"], attachment["caption"]) == (media["media_url"], "two\nlines")
    for kind in ("read_receipt", "delivery", "reaction"):
        assert [line["message_id"] for line in found[kind]] == [str(other.pk)]
    assert found["reaction"][0]["reaction_content"] == "+1"
    assert found["session"][0]["channel_name"] == "socket"
    assert found["client_message"][0]["client_id"] == "once"
    assert {(each["notification_type"], each["message_id"]) for each in found["notification"]} == {
        ("NEW_MESSAGE", str(waiting.pk)),
        ("REACTION", str(own.pk)),
    }
    permissions = {(each["room_id"], each["permission"]) for each in found["permission"]}
    assert permissions == {(str(group.pk), name) for name in group.rules.permissions}
    assert "alice's" not in json.dumps(found)
    assert "unheard" not in json.dumps(found)


def test_who_did_nothing_has_a_line(alice: Any) -> None:
    assert lines_of(alice).keys() == {"user"}


def test_there_must_be_such_a_user(db: None) -> None:
    with pytest.raises(errors.NotFound):
        export_user(nobody_key())


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_windows_and_chunks_lose_and_repeat_nothing(
    group: GroupChat, bob: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(export, "_KEYS_AT_ONCE", size)
    monkeypatch.setattr(export, "_ROWS_AT_ONCE", 2)
    sent = [send_message(group, f"{n}", sender=bob, client_id=f"{n}") for n in range(7)]
    # Some were written at the same moment.
    Message.objects.filter(pk__in=[each.pk for each in sent[2:6]]).update(
        created_at=sent[3].created_at
    )

    found = lines_of(bob)

    assert {line["id"] for line in found["message"]} == {str(each.pk) for each in sent}
    assert len(found["message"]) == len(found["client_message"]) == 7
    written = [line["created_at"] for line in found["message"]]
    assert written == sorted(written)


def test_rows_that_come_and_go_meanwhile_break_nothing(
    group: GroupChat, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_KEYS_AT_ONCE", 4)
    monkeypatch.setattr(export, "_ROWS_AT_ONCE", 2)
    sent = [send_message(group, f"{n}", sender=bob) for n in range(8)]

    lines = export_user(bob)
    messages = (line for line in map(json.loads, lines) if line["kind"] == "message")
    first = list(islice(messages, 1))
    acting_as(bob).delete_messages([sent[3].pk, sent[5].pk])
    found = [*first, *messages]

    assert {line["content"] for line in found} == {"0", "1", "2", "4", "6", "7"}


def test_what_is_held_and_asked_does_not_grow_with_the_rows(
    group: GroupChat, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_KEYS_AT_ONCE", 200)
    monkeypatch.setattr(export, "_ROWS_AT_ONCE", 50)

    def measure(count: int) -> tuple[int, int]:
        Message.objects.bulk_create(
            [Message(room=group, sender=bob, content="x" * 2000) for _ in range(count)]
        )
        tracemalloc.start()
        with CaptureQueriesContext(connection) as captured:
            for _ in export_user(bob):
                pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak - sum(len(query["sql"]) for query in captured), len(captured)

    measure(50)
    small, few = measure(150)
    large, many = measure(1800)

    # Ten times as many messages, in chunks of the same size: two statements for each.
    assert large < 2 * small
    assert many - few == 2 * 36 + 9


def test_a_membership_of_a_room_without_properties_is_exported(alice: Any) -> None:
    room = GroupChat.objects.create(name="bare", creator=alice)
    room.property.delete()
    Membership.objects.filter(user=alice).update(role="member")

    (found,) = lines_of(alice)["room"]

    assert (found["preferences"], found["is_creator"]) == ({}, True)
