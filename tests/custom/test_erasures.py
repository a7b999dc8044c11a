"""Erasing and exporting users of another model, with swapped messages, reactions and sessions."""

import json
import uuid
from typing import Any

import pytest

from docs.examples.swapped_models.models import Message, Reaction
from gql_chat import acting_as, erase_user, export_user, send_message
from gql_chat.models import GroupChat, StreamEvent
from gql_chat.models.accounts import nobody
from tests.conftest import Users
from tests.unit.accounts.remains import left_of

pytestmark = pytest.mark.django_db


def test_nobody_has_the_key_and_the_name_that_such_users_have() -> None:
    assert (nobody().pk, nobody().get_username()) == (uuid.UUID(int=0), "")


@pytest.mark.parametrize("messages", ["keep", "blank", "delete"])
def test_rows_of_swapped_models_are_exported_and_erased(users: Users, messages: str) -> None:
    alice, bob = users.make("alice", "bob")
    group = GroupChat.objects.create(name="group", creator=alice)
    group.participants.add(bob)
    own = send_message(group, "mine", sender=bob)
    other = send_message(group, "hers", sender=alice)
    Message.objects.filter(pk=own.pk).update(priority="high")
    acting_as(bob).add_reaction(other.pk, "+1")
    acting_as(bob).open_session("socket")

    found: dict[str, Any] = {line["kind"]: line for line in map(json.loads, export_user(bob))}
    counts = erase_user(bob, messages, batch=1)

    assert found["user"]["username"] == found["user"]["email"] == bob.email
    assert (found["message"]["priority"], found["message"]["sender_id"]) == ("high", str(bob.pk))
    assert found["reaction"]["is_reported"] is False
    assert found["session"]["device"] == ""
    assert counts["messages"] == 1
    assert left_of(bob.pk) == {}
    assert not Reaction.objects.exists()
    kept = Message.objects.filter(sender=None).values_list("content", "priority")
    assert list(kept) == {"keep": [("mine", "high")], "blank": [("", "high")]}.get(messages, [])
    text = "".join(StreamEvent.objects.values_list("payload", flat=True))
    assert bob.email not in text
    assert ("mine" in text) is (messages == "keep")
