"""The thread that cleans contents, one after the other, and not without end."""

import asyncio
import threading
from typing import Any

import pytest

from event_bridge.cleaning import Cleaning
from event_bridge.hub import Hub
from gql_chat import streams
from gql_chat.errors import Unavailable
from tests.timing import PATIENCE


class Stuck:
    """A context whose contents are clean when the test says so."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.threads: list[int] = []
        self.cleaned: list[str] = []

    def clean(self, content: str) -> None:
        assert self.go_on.wait(PATIENCE)
        self.threads.append(threading.get_ident())
        self.cleaned.append(content)


async def test_contents_are_cleaned_in_turn_on_a_thread_of_their_own() -> None:
    context: Any = Stuck()
    cleaning = Cleaning()
    jobs = [asyncio.create_task(cleaning.clean(context, text)) for text in "abc"]
    await asyncio.sleep(0)

    context.go_on.set()
    await asyncio.gather(*jobs)

    assert context.cleaned == ["a", "b", "c"]
    assert len(set(context.threads)) == 1
    assert threading.get_ident() not in context.threads
    cleaning.close()


async def test_too_many_contents_are_told_to_come_later() -> None:
    context: Any = Stuck()
    cleaning = Cleaning(limit=2)
    jobs = [asyncio.create_task(cleaning.clean(context, text)) for text in "ab"]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable) as refusal:
        await cleaning.clean(context, "c")
    assert isinstance(refusal.value.detail, dict)
    assert refusal.value.detail["retry_after"] > 0
    context.go_on.set()
    await asyncio.gather(*jobs)
    await cleaning.clean(context, "d")

    assert context.cleaned == ["a", "b", "d"]
    cleaning.close()


async def test_who_waits_no_more_makes_room_for_another() -> None:
    context: Any = Stuck()
    cleaning = Cleaning(limit=1)
    gone = asyncio.create_task(cleaning.clean(context, "a"))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone

    context.go_on.set()
    await cleaning.clean(context, "b")

    assert context.cleaned[-1] == "b"
    cleaning.close()


async def test_the_thread_ends_with_the_rest_of_its_hub() -> None:
    class Context:
        threads: list[threading.Thread] = []

        def clean(self, content: str) -> None:
            self.threads.append(threading.current_thread())

    context: Any = Context()
    hub = Hub(asyncio.get_running_loop())
    await hub.cleaning.clean(context, "a")
    streams.subscribe(hub.receive)
    hub._stop()

    (thread,) = context.threads
    await asyncio.to_thread(thread.join, PATIENCE)
    assert not thread.is_alive()
