"""Statuses: what the rows of sessions, holders and departures say of a user together."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gql_chat import get_presence
from gql_chat.models import IdleSocket, Presence, SocketHolder, get_model
from gql_chat.presence import (
    AWAY,
    OFFLINE,
    ONLINE,
    Status,
    hidden,
    is_visibly_online,
    note_departures,
    read_statuses,
    tidy,
)
from gql_chat.presence.leases import Outage
from tests.conftest import Users

pytestmark = pytest.mark.django_db

HUB = "a" * 32


@pytest.fixture(autouse=True)
def _no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other test's hub has anything to do with it."""
    monkeypatch.setattr("gql_chat.presence.leases.outage", Outage())


def ago(seconds: float) -> datetime:
    """A time before now."""
    return timezone.now() - timedelta(seconds=seconds)


def opened(user: Any, name: str, *, seen: float = 0, alive: float = 0) -> Any:
    """A session of a socket, last heard of and last kept alive so many seconds ago."""
    rows = get_model("Session").objects
    return rows.create(user=user, channel_name=name, last_seen=ago(seen), alive_at=ago(alive))


def held(seconds: float, name: str = HUB) -> None:
    """Let a holder have renewed its lease so many seconds ago."""
    SocketHolder.objects.update_or_create(name=name, defaults={"alive_at": ago(seconds)})


def status_of(user: Any) -> Status:
    """The presence of a user."""
    return read_statuses([user.pk])[str(user.pk)]


def to_minute(moment: datetime) -> datetime:
    """The minute of a time."""
    return moment.replace(second=0, microsecond=0)


def visible(*users: Any) -> set[Any]:
    """Those who are visibly online."""
    found = type(users[0]).objects.filter(pk__in=[user.pk for user in users])
    return set(is_visibly_online(found))


def test_nobody_who_was_never_here_was_ever_seen(alice: Any) -> None:
    assert status_of(alice) == Status(alice.pk, OFFLINE, None)
    assert not status_of(alice).is_sure


def test_a_socket_that_is_held_makes_online(alice: Any, bob: Any) -> None:
    session = opened(alice, f"{HUB}.1", seen=300)
    held(5)

    assert status_of(alice) == Status(alice.pk, ONLINE, to_minute(session.last_seen))
    assert visible(alice, bob) == {alice}


def test_a_holder_that_is_silent_holds_nothing(alice: Any) -> None:
    session = opened(alice, f"{HUB}.1", seen=18, alive=17)
    held(16)

    assert status_of(alice) == Status(alice.pk, OFFLINE, to_minute(session.alive_at))
    assert status_of(alice).is_sure
    assert visible(alice) == set()
    held(14)
    assert status_of(alice).status == ONLINE


def test_a_session_of_an_unknown_holder_counts_by_its_own_lease(alice: Any, bob: Any) -> None:
    opened(alice, "of an older version", alive=59)
    opened(bob, f"{HUB}.1", alive=61)
    held(0)

    assert (status_of(alice).status, status_of(bob).status) == (ONLINE, OFFLINE)
    assert visible(alice, bob) == {alice}


def test_a_tool_makes_nobody_online(alice: Any) -> None:
    opened(alice, "graphql.1")

    assert status_of(alice) == Status(alice.pk, OFFLINE, None)
    assert visible(alice) == set()


def test_away_is_who_has_idle_sockets_only(alice: Any, bob: Any) -> None:
    for number in (1, 2):
        opened(alice, f"{HUB}.{number}")
        # Another's word does not count.
        IdleSocket.objects.create(channel_name=f"{HUB}.{number}", user=bob)
    assert status_of(alice).status == ONLINE

    IdleSocket.objects.filter(channel_name=f"{HUB}.1").update(user=alice, since=ago(100))
    assert status_of(alice).status == ONLINE
    IdleSocket.objects.update(user=alice, since=ago(200))
    assert status_of(alice) == Status(alice.pk, AWAY, to_minute(ago(200)))
    assert visible(alice) == {alice}


def test_who_has_just_left_is_online_for_the_grace(alice: Any, bob: Any) -> None:
    left = ago(5)
    note_departures({str(alice.pk): left, str(bob.pk): ago(21)})

    found = status_of(alice)
    assert found == Status(alice.pk, ONLINE, to_minute(left))
    assert found.until is not None
    assert found.until - left == timedelta(seconds=20)
    assert status_of(bob) == Status(bob.pk, OFFLINE, to_minute(ago(21)))
    assert visible(alice, bob) == set()


def test_the_invisible_are_offline_since_they_wanted_that(alice: Any) -> None:
    opened(alice, f"{HUB}.1")
    Presence.objects.create(user=alice, invisible_since=ago(600), departed_at=ago(1))

    assert status_of(alice) == Status(alice.pk, OFFLINE, to_minute(ago(600)))
    assert visible(alice) == set()
    assert type(alice).objects.filter(hidden()).get() == alice


def test_departures_never_go_back_and_spare_the_gone(alice: Any, bob: Any, users: Users) -> None:
    gone = users("gone")
    key = str(gone.pk)
    gone.delete()
    Presence.objects.create(user=bob, invisible_since=ago(5))
    note_departures({str(alice.pk): ago(5), str(bob.pk): ago(7), key: ago(1)})
    note_departures({str(alice.pk): ago(50)})

    assert Presence.objects.get(user=alice).departed_at > ago(10)
    assert Presence.objects.get(user=bob).invisible_since is not None
    assert Presence.objects.count() == 2


def test_what_dead_sessions_say_is_kept_and_what_outlived_its_socket_goes(
    alice: Any, bob: Any
) -> None:
    opened(alice, f"{HUB}.1", seen=900, alive=700)
    opened(alice, "graphql.2", seen=500, alive=500)
    opened(bob, f"{HUB}.2")
    for number in (1, 2, 3):
        name = f"{HUB}.{number}"
        IdleSocket.objects.create(channel_name=name, user=bob, since=ago(1000))
    held(1000)
    held(10, "b" * 32)

    tidy()

    assert status_of(alice).last_seen == to_minute(ago(700))
    assert {row.channel_name[-1] for row in IdleSocket.objects.all()} == {"1", "2"}
    assert [holder.name for holder in SocketHolder.objects.all()] == ["b" * 32]
    assert get_model("Session").objects.count() == 3  # somebody else deletes them


def test_a_constant_number_of_statements_reads_any_number_of_users(users: Users) -> None:
    some = users.make(*["user"] * 12)
    for number, user in enumerate(some):
        opened(user, f"{HUB}.{number}")
        Presence.objects.create(user=user, departed_at=ago(1))
    counts = []
    for count in (1, 12):
        with CaptureQueriesContext(connection) as asked:
            assert len(read_statuses([user.pk for user in some[:count]])) == count
        counts.append(len(asked))

    assert counts == [3, 3]


def test_server_code_reads_it(alice: Any, bob: Any) -> None:
    opened(bob, f"{HUB}.1")

    found = get_presence([alice, bob.pk])

    assert {key: status.status for key, status in found.items()} == {
        alice.pk: OFFLINE,
        bob.pk: ONLINE,
    }
    assert get_presence([]) == {}
