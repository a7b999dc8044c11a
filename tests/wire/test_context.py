"""What the ASGI application sets around a socket is what the project's code sees for its events."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

import pytest
import strawberry
from django.db import transaction
from django.db.models.signals import post_save
from django.utils import timezone, translation
from pytest_django import Settings

from gql_chat.models import get_model
from gql_chat.operations import EventHandler
from gql_chat.schema import types
from tests.client import Client
from tests.conftest import Users
from tests.servers import ChatThread
from tests.site.asgi import application as chat
from tests.wire.rooms import Person, group

tenant: ContextVar[str] = ContextVar("tenant", default="nobody's")

ROUNDS = 25

#: What each language, time zone and tenant goes with.
WORLDS = {"a": ("de", "Europe/Berlin"), "b": ("fr", "Asia/Tokyo"), "c": ("en-us", "UTC")}


def seen() -> tuple[str, str, str]:
    """What code sees of the socket that it works for."""
    zone = str(timezone.get_current_timezone())
    return tenant.get(), translation.get_language() or "", zone


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Set all three for sockets, as middleware does that knows whose they are."""
    if scope["type"] == "websocket":
        (name,) = parse_qs(scope["query_string"].decode())["tenant"]
        language, zone = WORLDS[name]
        tenant.set(name)
        translation.activate(language)
        timezone.activate(zone)
    await chat(scope, receive, send)


class Noting(EventHandler):
    """Notes what it sees, and after the commit again."""

    def send_message(self, room_id: Any, content: str, *args: Any, **fields: Any) -> Any:
        note("handler", content)
        transaction.on_commit(lambda: note("after the commit", content))
        return super().send_message(room_id, content, *args, **fields)


@strawberry.type(name="Message")
class Telling(types.Message):
    """A message that notes for whom it is rendered."""

    @strawberry.field
    def is_edited(self) -> bool:
        """Whether it was edited."""
        message: Any = self
        note("resolver", message.content)
        return bool(message.is_edited)


#: Sets, since whoever steps aside for others of the room is tried again.
_notes: dict[tuple[str, str], set[tuple[str, str, str]]] = {}


def note(who: str, content: str) -> None:
    _notes.setdefault((who, content), set()).add(seen())


def _saved(sender: Any, instance: Any, created: bool, **kwargs: Any) -> None:
    if created:
        note("signal", instance.content)


@pytest.fixture
def server(settings: Settings, committed_database: None) -> Iterator[ChatThread]:
    settings.REALTIME_CHAT_MESSAGING = {
        "EVENT_HANDLER_CLASS": f"{__name__}.Noting",
        "SERIALIZERS": {"Message": f"{__name__}.Telling"},
    }
    _notes.clear()
    post_save.connect(_saved, sender=get_model("Message"))
    with ChatThread(application) as server:
        yield server
    post_save.disconnect(_saved, sender=get_model("Message"))


async def test_handlers_resolvers_and_signals_see_the_context_of_their_own_socket(
    server: ChatThread, users: Users
) -> None:
    names = list(WORLDS)

    async def talk(person: Person, name: str) -> None:
        for number in range(ROUNDS):
            data = {"room_id": room["id"], "content": f"{name}{number}"}
            await person.send("message.send", data)
        for _ in range(ROUNDS * len(people)):
            await person.expect("message.dispatch")

    async with AsyncExitStack() as stack:
        people = []
        for user, name in zip(users.make(*names), names, strict=True):
            client = Client(server.url, user.pk)
            client.url += f"&tenant={name}"
            people.append(Person(user, await stack.enter_async_context(client)))
        first, *others = people
        room = await group(first, *others)
        await asyncio.gather(*(talk(*each) for each in zip(people, names, strict=True)))

    expected = {
        (who, f"{name}{number}"): {(name, *WORLDS[name])}
        for who in ("handler", "signal", "resolver", "after the commit")
        for name in names
        for number in range(ROUNDS)
    }
    assert _notes == expected
