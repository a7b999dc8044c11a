"""What tests of single modules share: events run as the bridge runs them, and threads that race."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any, TypeVar

from django.db import connections

from event_bridge.operations import events, lifecycle
from gql_chat.models import StreamEvent
from gql_chat.models.unread import count_unread
from gql_chat.schema import Context
from gql_chat.streams import Envelope, room_stream
from tests.timing import PATIENCE

T = TypeVar("T")


def perform(user: Any, event_type: str, data: dict[str, Any]) -> tuple[Any, list[Envelope]]:
    """Run an event of the protocol through its prepared document, as a socket of the user does.

    Returns:
        The result, and what was committed; inside a test's own transaction that is nothing.
    """
    return events().find(event_type, data).run(data, Context(user.pk))


def perform_lifecycle(user: Any, name: str, data: dict[str, Any]) -> Any:
    """Run what the socket itself asks for."""
    return lifecycle().find(name, data).run(data, Context(user.pk))[0]


def race(count: int, work: Callable[[int], T]) -> list[T | Exception]:
    """Call `work(0)`, `work(1)`, … at the same time, each in a thread with a connection of its own.

    Returns:
        What each returned or raised.
    """
    results: list[Any] = [None] * count
    start = Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait(PATIENCE)
            results[number] = work(number)
        except Exception as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * PATIENCE)
        assert not thread.is_alive(), "a thread of the race does not end"
    return results


def frames(room: Any) -> list[str]:
    """The kinds of the events in the log of a room, in order."""
    rows = StreamEvent.objects.filter(stream=room_stream(room.pk)).order_by("seq")
    return list(rows.values_list("kind", flat=True))


def count_mentions(user_id: Any, room_ids: list[Any]) -> dict[Any, int]:
    """How many unread messages mention a user, by room."""
    found = count_unread([user_id]).get(user_id)
    rooms = [] if found is None else found.rooms
    return {
        room.room_id: room.mention_count
        for room in rooms
        if room.mention_count and room.room_id in room_ids
    }
