"""What concerns nobody else: everybody may, unless a project refuses an event by its name."""

from typing import Any

import pytest

from gql_chat.errors import PermissionDenied
from gql_chat.models import GroupChat, Message
from gql_chat.operations import EventHandler
from gql_chat.permissions import PermissionHandler
from tests.unit.making import perform
from tests.unit.test_settings import chat

ROOM = {"room.preferences", "room.members", "room.pins", "message.save", "message.unsave"}
OWN = {"saved.list", "user.preferences", "unread.list", "mention.list", "presence.set"}


class Reserved(PermissionHandler):
    """One event is kept from everybody, and each question is noted."""

    refused = ""
    asked: list[Any] = []

    def can_use(self, user: Any, event: str, room: Any) -> bool:
        self.asked.append((user.pk, event, getattr(room, "pk", None)))
        return event != self.refused


@pytest.fixture
def said(alice: Any, bob: Any) -> Message:
    """A message in a group of two, which one of them has saved."""
    group = GroupChat.objects.create(name="group", creator=alice)
    group.participants.add(bob)
    message: Any = EventHandler(alice.pk).send_message(group.pk, "hello")
    shown: Message = Message.objects.get(pk=message.message_id)
    return shown


def data_of(event: str, said: Message) -> dict[str, Any]:
    """The data of an event about the message or its room."""
    if event.startswith("message."):
        return {"message_id": str(said.pk)}
    if event == "presence.set":
        return {"status": "auto"}
    return {"room_id": str(said.room_id)} if event in ROOM else {}


@pytest.mark.django_db
@pytest.mark.parametrize("event", sorted(ROOM | OWN))
def test_a_project_may_refuse_an_event(
    event: str, said: Message, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_of(event, said)
    if event == "message.unsave":
        EventHandler(bob.pk).save_message(said.pk)
    monkeypatch.setattr(Reserved, "refused", event)
    monkeypatch.setattr(Reserved, "asked", [])

    with chat(PERMISSION_HANDLER_CLASS=Reserved):
        with pytest.raises(PermissionDenied, match=event):
            perform(bob, event, data)
        monkeypatch.setattr(Reserved, "refused", "")
        perform(bob, event, data)

    room = said.room_id if event in ROOM else None
    assert Reserved.asked == [(bob.pk, event, room)] * 2


@pytest.mark.django_db
def test_the_list_of_a_room_names_the_room(
    said: Message, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reserved, "asked", [])

    with chat(PERMISSION_HANDLER_CLASS=Reserved):
        perform(bob, "unread.list", {"room_id": str(said.room_id)})

    assert Reserved.asked == [(bob.pk, "unread.list", said.room_id)]
