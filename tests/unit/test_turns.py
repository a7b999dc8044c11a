"""An event that waits for another of its room finds what that one did."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction
from pytest_django import Settings

from gql_chat.errors import ChatError, Invalid, NotFound
from gql_chat.models import GroupChat, Message, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream
from tests.conftest import Users
from tests.timing import PATIENCE, wait_until


class World:
    """A group of alice's with bob, and a message of alice's in it, all committed."""

    def __init__(self, users: Users) -> None:
        self.alice, self.bob = users.make("alice", "bob")
        self.group = GroupChat.objects.create(name="group", creator=self.alice)
        self.group.participants.add(self.bob)
        self.message_id = self.as_alice().send_message(self.group.pk, "first").message_id

    def as_alice(self) -> EventHandler:
        return EventHandler(self.alice.pk)

    def as_bob(self) -> EventHandler:
        return EventHandler(self.bob.pk)

    def last_event(self) -> StreamEvent:
        events = StreamEvent.objects.filter(stream=room_stream(self.group.pk))
        return events.order_by("-seq")[0]


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    return World(users)


def one_after_the_other(first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """Begin the second while the first is not committed yet; return what the second raised."""
    begun = threading.Event()
    raised: list[Exception | None] = []

    def run() -> None:
        begun.set()
        try:
            second()
            raised.append(None)
        except Exception as error:
            raised.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    with transaction.atomic():
        first()
        thread.start()
        assert begun.wait(PATIENCE)
        if connection.vendor == "postgresql":
            wait_until(_somebody_waits, "the second event waits for the first")
    thread.join(PATIENCE)
    assert raised, "the second event does not end"
    return raised[0]


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.fixture(params=[True, False], ids=["hidden", "gone"])
def refusal(request: pytest.FixtureRequest, settings: Settings) -> type[ChatError]:
    """How an event for a message is refused that was deleted, softly and hard."""
    present = getattr(settings, "REALTIME_CHAT_MESSAGING", {})
    settings.REALTIME_CHAT_MESSAGING = {**present, "MESSAGE_SOFT_DELETE": request.param}
    return Invalid if request.param else NotFound


def test_an_edit_does_not_bring_back_what_was_deleted(
    world: World, refusal: type[ChatError]
) -> None:
    raised = one_after_the_other(
        lambda: world.as_alice().delete_messages([world.message_id]),
        lambda: world.as_alice().edit_message(world.message_id, "again"),
    )

    assert isinstance(raised, refusal)
    assert world.last_event().kind == "MessagesDeleted"
    left = Message.objects.filter(room=world.group)
    assert not left.exclude(content="first").exists()


@pytest.mark.parametrize("event", ["react", "read"])
def test_what_is_shown_with_a_reaction_or_a_receipt_is_the_edited_message(
    event: str, world: World
) -> None:
    calls = {
        "react": lambda: world.as_bob().add_reaction(world.message_id, "+1"),
        "read": lambda: world.as_bob().read_messages([world.message_id]),
    }

    raised = one_after_the_other(
        lambda: world.as_alice().edit_message(world.message_id, "second"), calls[event]
    )

    assert raised is None
    assert '"content":"second"' in world.last_event().payload
    assert Message.objects.get(pk=world.message_id).content == "second"


def test_a_reaction_to_what_was_deleted_is_refused(world: World, refusal: type[ChatError]) -> None:
    raised = one_after_the_other(
        lambda: world.as_alice().delete_messages([world.message_id]),
        lambda: world.as_bob().add_reaction(world.message_id, "+1"),
    )

    assert isinstance(raised, refusal)
