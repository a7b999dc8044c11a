"""Leases: the one of a holder that is silent has lapsed, unless nobody could say anything."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from gql_chat.models import SocketHolder
from gql_chat.presence import find_holders, renew_lease
from gql_chat.presence.leases import Outage, find_limits

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A time."""
    return NOW + timedelta(seconds=seconds)


def test_a_holder_lapses_before_the_grace_is_over() -> None:
    assert Outage().find_since(at(100)) == at(85)


def test_who_renews_in_time_knows_of_no_outage() -> None:
    known = Outage()
    for second in range(0, 105, 5):
        known.note("one", at(second))
        assert known.find_since(at(second)) == at(second - 15)


def test_after_an_outage_those_count_that_were_there_before_it() -> None:
    known = Outage()
    known.note("one", at(0))
    # The database is away from 3 to 60. Others renewed theirs at 3 for the last time.
    assert known.find_since(at(61)) == at(-15)
    known.note("one", at(61))
    assert known.find_since(at(62)) == at(-15)
    known.note("one", at(66))
    # Away again, while it was lenient.
    known.note("one", at(80))
    assert known.find_since(at(80)) == at(-15)
    for second in range(85, 101, 5):
        known.note("one", at(second))
    # By now each has had the time to renew it.
    assert known.find_since(at(101)) == at(86)


def test_who_holds_nothing_any_more_is_not_lenient_for_ever() -> None:
    known = Outage()
    known.note("one", at(0))
    known.forget("one")

    assert known.find_since(at(100)) == at(85)


def test_the_leases_of_sessions_are_as_lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Outage()
    monkeypatch.setattr("gql_chat.presence.leases.outage", known)
    known.note("one", at(0))

    assert find_limits(at(10)) == (at(-5), at(-50))
    assert find_limits(at(100)) == (at(-15), at(-60 - 15 + 15))


@pytest.mark.django_db
def test_a_holder_has_one_row_which_it_renews(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gql_chat.presence.leases.outage", Outage())
    renew_lease("one")
    renew_lease("other")
    SocketHolder.objects.filter(name="other").update(alive_at=timezone.now() - timedelta(hours=1))

    assert find_holders() == {"one"}
    renew_lease("other")
    assert find_holders() == {"one", "other"}
    assert SocketHolder.objects.filter(name__in=["one", "other"]).count() == 2
