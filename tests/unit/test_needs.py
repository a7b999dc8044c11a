"""The check of the bridge: a project's schema has what its documents and the protocol need."""

import threading
from typing import Any
from uuid import UUID

import pytest
import strawberry
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from event_bridge import operations
from event_bridge.checks import check_documents
from event_bridge.declarations import Dispatch
from event_bridge.events import DISPATCHES
from event_bridge.needs import NEEDED
from event_bridge.operations import Operation
from gql_chat.conf import SERIALIZERS
from gql_chat.schema import types
from gql_chat.schema.scalars import Timestamp, UserID


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


def problems(**values: Any) -> list[str]:
    with chat(**values):
        return [problem.msg for problem in check_documents()]


@strawberry.type
class User:
    """A user without a name."""

    id: UserID


@strawberry.type(name="Message")
class Homeless:
    """A message that does not say where it stands."""

    id: UUID
    content: str
    created_at: Timestamp
    sender: types.UserRef


@strawberry.type(name="Message")
class Nameless(types.Message):
    """A message whose room has no id, and whose content is for those who know how to ask."""

    room: str

    @strawberry.field
    def content(self, length: int) -> str:
        """What a client would have to ask for with an argument."""
        return ""


@strawberry.type(name="Message")
class Anonymous:
    """A message that has no id."""

    content: str


def test_the_packages_own_types_have_all_that_is_needed() -> None:
    assert problems() == []
    assert NEEDED.keys() <= set(SERIALIZERS)


@pytest.mark.parametrize(
    ("name", "serializer", "lost"),
    [
        ("User", User, ["username"]),
        ("Message", Homeless, ["room.id"]),
        ("Message", Nameless, ["room.id", "content"]),
        ("Message", Anonymous, ["id", "room.id", "sender", "created_at"]),
    ],
)
def test_a_type_that_lost_a_field_is_named_with_the_field(
    name: str, serializer: type, lost: list[str]
) -> None:
    found = [
        problem for problem in problems(SERIALIZERS={name: serializer}) if "no field" in problem
    ]

    assert [field for field in NEEDED[name] if any(f"'{field}'" in text for text in found)] == lost
    assert len(found) == len(lost)
    for text in found:
        assert f"{__name__}.{serializer.__name__}" in text
        assert f"of a {name}." in text


def test_a_document_that_selects_what_is_gone_is_named_with_its_event() -> None:
    found = problems(SERIALIZERS={"Message": Anonymous})

    assert any("'message.modify' cannot run 'edit_message'" in problem for problem in found)


def test_an_event_without_an_operation_is_named() -> None:
    def map_events() -> Any:
        return {**operations.map_events(), "room.dance": Operation("dance")}

    (problem,) = problems(EVENT_MAPPER=map_events)

    assert "'room.dance'" in problem
    assert "'dance'" in problem


@strawberry.type(name="Reaction")
class Slow(types.Reaction):
    """A reaction of which something has to be waited for."""

    @strawberry.field
    async def picture(self) -> str:
        """Return what somebody else draws."""
        return ""


@strawberry.type
class Mixed(types.Attachment):
    """An attachment with a field of two arguments."""

    @strawberry.field
    def sized(self, width: int = 1) -> str:
        """Return the attachment in a size."""
        return ""


def test_what_cannot_be_prepared_is_named_with_its_type_and_field() -> None:
    def map_events() -> Any:
        twice = "{ data { messages { attachments { a: sized(width: 1) a: sized(width: 2) } } } }"
        found = operations.map_events()
        return {**found, "room.media": Operation("room_messages", select=twice)}

    with chat(SERIALIZERS={"Reaction": Slow}):
        slow = check_documents()
    assert slow
    assert {problem.id for problem in slow} == {"event_bridge.E015"}
    assert all("Reaction.picture is a coroutine function" in problem.msg for problem in slow)
    assert any("The event MessageReacted" in problem.msg for problem in slow)
    assert any("'room_messages' of 'room.messages'" in problem.msg for problem in slow)

    with chat(SERIALIZERS={"Attachment": Mixed}, EVENT_MAPPER=map_events):
        (mixed,) = check_documents()
    assert mixed.id == "event_bridge.E015", mixed.msg
    assert "'room_messages' of 'room.media'" in mixed.msg
    assert "sized(width: 1) and sized(width: 2)" in mixed.msg


def test_a_dispatch_of_no_event_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DISPATCHES, "RoomPainted", Dispatch("roompaint.dispatch"))

    (problem,) = problems()

    assert "RoomPainted" in problem


def test_a_type_of_which_no_schema_can_be_built_is_a_problem() -> None:
    @strawberry.type
    class Unfinished(types.Reaction):
        """A type with a field of which GraphQL knows no type."""

        thread: threading.Thread

    (problem,) = problems(SERIALIZERS={"Reaction": Unfinished})

    assert "The GraphQL schema cannot be built" in problem


def test_what_other_checks_name_is_not_named_again() -> None:
    assert problems(SERIALIZERS={"User": "nowhere.Nothing"}) == []
    assert problems(EVENT_MAPPER="nowhere.nothing") == []


def test_django_does_not_start_with_a_type_that_lost_a_field() -> None:
    with (
        chat(SERIALIZERS={"Message": Homeless}),
        pytest.raises(SystemCheckError, match=r"Homeless has no field 'room.id'"),
    ):
        call_command("check")
