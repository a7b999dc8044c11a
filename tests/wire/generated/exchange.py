"""Where generated frames are sent, and what may come of them."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat.operations import EventHandler
from tests.client import Client, Frame
from tests.conftest import Orm, Users
from tests.wire.generated.events import EVERY_ANSWER, Event
from tests.wire.generated.frames import USERS


class World:
    """Rooms and messages around alice, whose socket it is, renewed when they are used up."""

    def __init__(self, orm: Orm, users: Users) -> None:
        self._orm = orm
        self._users = dict(zip(USERS, users.make(*USERS), strict=True))
        self.things: dict[str, Any] = {name: user.pk for name, user in self._users.items()}

    @property
    def alice(self) -> AbstractUser:
        """Who acts."""
        return self._users["alice"]

    def renew(self) -> None:
        """Make everything anew that an event may have changed or deleted."""
        self.things |= self._orm(self._make)

    def _make(self) -> dict[str, Any]:
        alice, bob, carol, _ = (EventHandler(self.things[name]) for name in USERS)
        room = alice.create_room("GroupChat", name="Ours", members=[bob.user_id])
        foreign = carol.create_room("GroupChat", name="Theirs", members=[bob.user_id])
        made = {
            "room": room,
            "foreign_room": foreign,
            "own_channel": alice.create_room("Channel", name="News", members=[bob.user_id]),
            "open_channel": carol.create_room("Channel", name="Open", fields={"is_public": True}),
        }
        messages = {
            "message": bob.send_message(room.pk, "Hi").message_id,
            "own_message": alice.send_message(room.pk, "Hi").message_id,
            "foreign_message": carol.send_message(foreign.pk, "Hi").message_id,
        }
        alice.add_reaction(messages["message"], "+1")
        ids = {name: made_room.pk for name, made_room in made.items()} | messages
        return {name: str(made_id) for name, made_id in ids.items()}


class Exchange:
    """Sends one frame at a time, and takes all that comes of it."""

    def __init__(self, client: Client, caplog: pytest.LogCaptureFixture) -> None:
        self._client = client
        self._caplog = caplog
        self._count = 0

    async def heartbeat(self) -> list[Frame]:
        """Send a heartbeat; returns what came before its answer."""
        self._count += 1
        ours = f"heartbeat {self._count}"
        await self._client.send("session.heartbeat", request_id=ours)
        before = []
        while (frame := await self._client.next()).get("request_id") != ours:
            before.append(frame)
        assert frame == {"status": "success", "request_id": ours}
        return before

    async def send(self, frame: str | bytes) -> tuple[Frame, list[Frame]]:
        """Send a frame; returns its answer, of which there must be one, and the dispatches."""
        self._client.taken.clear()
        await self._client.send_raw(frame)
        came = await self.heartbeat()
        answers = [frame for frame in came if self._is_answer(frame)]
        assert len(answers) == 1, came
        errors = [record for record in self._caplog.records if record.levelno >= logging.ERROR]
        assert errors == [], self._caplog.text
        return answers[0], [frame for frame in came if frame is not answers[0]]

    @staticmethod
    def _is_answer(frame: Frame) -> bool:
        return (
            "request_id" in frame
            or "error" in frame
            or "status" in frame
            or frame.get("eventType") in PRIVATE
        )


PRIVATE = {
    "roomlist.dispatch",
    "roominfo.dispatch",
    "roommembers.dispatch",
    "roommessages.dispatch",
    "session.resumed",
}
DOCUMENTED_ERRORS = {4002, 4003, 4004, 4005}


def check_error(answer: Frame) -> None:
    """An error of the protocol, with something said of it."""
    assert answer.keys() - {"request_id"} == {"error"}
    error = answer["error"]
    assert error.keys() == {"code", "detail"}
    assert error["code"] in DOCUMENTED_ERRORS, answer
    assert isinstance(error["detail"], str | list | dict)
    assert error["detail"]


def check_dispatches(frames: list[Frame], allowed: frozenset[str], *, resumed: bool) -> None:
    """Nothing is dispatched but what is allowed."""
    for frame in frames:
        keys = {"eventType", "data"}
        assert frame.keys() == keys or (resumed and frame.keys() == keys | {"stream", "seq"})
        assert frame["eventType"] in allowed


def check_answer(known: Event, answer: Frame, request_id: Any) -> None:
    """The answer to a success: the documented one."""
    if "status" in answer:
        assert None in known.answer or known.event_type == "session.heartbeat"
        assert answer == {"status": "success", "request_id": request_id}
    else:
        assert answer.keys() == {"eventType", "data", "request_id"}
        assert answer["request_id"] == request_id
        assert answer["eventType"] in known.answer


def check_any(answer: Frame) -> None:
    """Any answer of the protocol."""
    if answer.get("error") == "invalid event type":
        assert answer.keys() - {"request_id"} == {"error"}
    elif "error" in answer:
        check_error(answer)
    elif "status" in answer:
        assert answer.keys() - {"request_id"} == {"status"}
    else:
        assert answer.keys() - {"request_id"} == {"eventType", "data"}
        assert answer["eventType"] in EVERY_ANSWER
