"""Random people do random things, and every frame is the one that the protocol says."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as project
from django.test import override_settings
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from event_bridge.events import EVENTS, map_events
from event_bridge.hub.dispatcher import Dispatcher
from event_bridge.resume import Resumption
from gql_chat.models import relations, rules
from gql_chat.nouns import NOUNS
from gql_chat.permissions import PermissionHandler
from gql_chat.streams.erasure import Erasure
from tests.conftest import Users
from tests.model import events
from tests.model.chat import Person
from tests.model.machine import Machine, machine_of
from tests.model.registry import TRIES
from tests.wire.rooms import wire_id

#: So many steps are one story, which begins with new people.
STORY = 80
#: So many steps are tried, and the same ones each time, unless `CHAT_FUZZ_STEPS` says otherwise.
#: On PostgreSQL one takes three times as long.
STEPS = 4000 if os.environ["CHAT_TEST_DATABASE"] == "sqlite" else 2000
#: A fault is found within so many; it ends with the first difference.
SEARCH = 4000
CHOSEN = os.environ.get("CHAT_FUZZ_STEPS")
#: No rate of a user ends a story.
UNLIMITED = {"RATE_LIMIT": None}
#: The model knows the documented protocol, and no more of the features than deletions and counts.
FEATURES = ("erasure", "pages")


@pytest.fixture
def soft() -> bool:
    """Whether deleted messages stay as hidden rows."""
    return False


@pytest.fixture
def machine(committed_database: None, users: Users, soft: bool) -> Iterator[type[Machine]]:
    """The machine, with a server in an event loop of its own."""

    def make_users(count: int) -> list[tuple[Person, Any]]:
        return [(as_person(user), user) for user in users.make(*["person"] * count)]

    present = getattr(project, "REALTIME_CHAT_MESSAGING", {})
    own = {**present, **UNLIMITED, "MESSAGE_SOFT_DELETE": soft, "FEATURES": FEATURES}
    with override_settings(REALTIME_CHAT_MESSAGING=own), asyncio.Runner() as runner:
        yield machine_of(runner, make_users, soft=soft)


def as_person(user: Any) -> Person:
    """A user as the model knows them."""
    shown = {
        "id": wire_id(user.pk),
        "username": user.get_username(),
        "email": user.email,
        "first_name": "",
        "last_name": "",
    }
    return Person(wire_id(user.pk), shown)


def run(machine: type[Machine], steps: int, *, same: bool, **more: Any) -> None:
    """Let the machine go so many steps."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, steps // STORY),
            stateful_step_count=STORY,
            derandomize=same,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


@pytest.mark.parametrize("soft", [False, True], ids=["gone", "hidden"])
def test_what_arrives_is_what_the_model_says(machine: type[Machine], soft: bool) -> None:
    if CHOSEN:
        number = int(os.environ.get("CHAT_FUZZ_SEED") or random.randrange(2**32))
        try:
            run(seed(number)(machine), int(CHOSEN), same=False)
        except BaseException as failure:
            failure.add_note(f"The same again: make fuzz STEPS={CHOSEN} SEED={number}")
            raise
        return

    run(machine, STEPS // 2 if soft else STEPS, same=True)

    # An event that nobody ever succeeds with is not tried.
    assert soft or all(machine.done[name] for name in TRIES), machine.done


def test_the_model_knows_every_event() -> None:
    known = {tried.event_type for tried in TRIES.values()}
    # It is a model of the documented protocol: features have tests of their own.
    routes = {noun: set(EVENTS[noun.name].routes) for noun in NOUNS if noun.name in EVENTS}
    documented = {name for noun, names in routes.items() if not noun.feature for name in names}
    beyond = {name for names in routes.values() for name in names} - documented
    beyond -= {"notification.list"}  # of the feature `pages`; it was modelled before that

    assert known == {*map_events(), "session.heartbeat"} - beyond
    assert events.__all__


def anybody_changes_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members may change each other's messages."""
    monkeypatch.setattr(PermissionHandler, "can_change_message", lambda *_: True)


def newcomers_read_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resume replays frames from before the user came."""

    def last_seq(self: Resumption, name: str, joined_seq: int) -> int | None:
        return self.wanted.get(name, 0 if self.wanted else None)

    monkeypatch.setattr(Resumption, "_last_seq", last_seq)


def frames_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub forgets to deliver the change of a room."""
    deliver = Dispatcher.deliver

    def forgetful(self: Any, stream: Any, envelope: Any, *args: Any) -> Any:
        if envelope.kind != "RoomUpdated":
            return deliver(self, stream, envelope, *args)
        return None

    monkeypatch.setattr(Dispatcher, "deliver", forgetful)


def the_log_keeps_what_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion leaves the log alone."""
    monkeypatch.setattr(Erasure, "write", lambda self: 0)


def of_two_each_moderates(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a one-to-one chat either may delete what the other one wrote."""
    monkeypatch.setattr(rules.OneToOneRules, "may_delete_messages", lambda *_: True)


def forwards_follow_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forward shows its source as that is by now."""
    monkeypatch.setattr(relations, "_find_sources", lambda messages: {})


@pytest.mark.parametrize(
    "fault",
    [
        anybody_changes_messages,
        newcomers_read_the_log,
        frames_are_lost,
        the_log_keeps_what_is_deleted,
        of_two_each_moderates,
        forwards_follow_their_sources,
    ],
)
def test_a_fault_is_found(
    fault: Callable[[pytest.MonkeyPatch], None],
    machine: type[Machine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault(monkeypatch)

    # It ends with the first difference; nobody asks for the shortest way there.
    with pytest.raises(AssertionError, match="was"):
        run(machine, SEARCH, same=True, phases=[Phase.generate])
