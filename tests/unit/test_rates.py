"""How much a user may do in a time: in the database, and out of what a process has at hand."""

from collections import Counter
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from gql_chat import rates
from gql_chat.errors import NotAuthenticated, RateLimited
from gql_chat.limits import Rate
from gql_chat.models import Allowance
from gql_chat.rates import Budget, Grant, Ignored, take
from tests.conftest import Users
from tests.unit.making import race

#: It fills up so slowly that nothing comes back while a test runs.
SLOW: Rate = {"events": 5, "seconds": 1_000_000}

needs_committed = pytest.mark.usefixtures("committed_database")


@pytest.fixture
def alice(users: Users) -> Any:
    return users("alice")


def let_pass(seconds: float) -> None:
    """Put all allowances where they will be after some seconds."""
    Allowance.objects.update(full_at=F("full_at") - seconds)


# In the database


@pytest.mark.django_db
def test_an_allowance_gives_what_it_holds_and_then_says_when_there_is_more(alice: Any) -> None:
    assert [take(alice.pk, "events", SLOW).count for _ in range(5)] == [1] * 5

    refused = take(alice.pk, "events", SLOW)

    assert refused.count == 0
    assert refused.wait == pytest.approx(200_000, abs=60)


@pytest.mark.django_db
def test_several_are_taken_at_once_as_far_as_there_are_so_many(alice: Any) -> None:
    assert take(alice.pk, "events", SLOW, most=3) == Grant(3)
    # Not less than is asked for at least.
    assert take(alice.pk, "events", SLOW, least=3, most=3).wait == pytest.approx(200_000, abs=60)
    assert take(alice.pk, "events", SLOW, most=3) == Grant(2)
    assert take(alice.pk, "events", SLOW, most=3).wait == pytest.approx(600_000, abs=60)
    # And never more than there can be.
    assert take(alice.pk, "rooms", SLOW, least=100, most=100) == Grant(5)


@pytest.mark.django_db
def test_an_allowance_fills_up_evenly_and_holds_no_more_than_it_does(alice: Any) -> None:
    take(alice.pk, "events", SLOW, most=5)

    let_pass(400_100)
    assert take(alice.pk, "events", SLOW, most=5) == Grant(2)
    let_pass(100_000_000)
    assert take(alice.pk, "events", SLOW, most=5) == Grant(5)
    assert take(alice.pk, "events", SLOW).count == 0


@pytest.mark.django_db
def test_users_and_kinds_have_allowances_of_their_own(alice: Any, users: Users) -> None:
    bob = users("bob")
    take(alice.pk, "events", SLOW, most=5)

    assert take(alice.pk, "rooms", SLOW).count == 1
    assert take(bob.pk, "events", SLOW).count == 1
    assert take(alice.pk, "events", SLOW).count == 0


@pytest.mark.django_db
def test_what_is_undone_was_not_taken(alice: Any) -> None:
    for _ in range(7):
        with transaction.atomic():
            take(alice.pk, "events", SLOW, most=5)
            transaction.set_rollback(True)

    assert take(alice.pk, "events", SLOW, most=5) == Grant(5)


@pytest.mark.django_db
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=12),
    capacity=st.integers(1, 6),
)
def test_nobody_gets_more_than_the_rate_however_it_is_asked_for(
    steps: list[tuple[int, int]], capacity: int, alice: Any
) -> None:
    """Compared with a bucket in memory; time passes in whole events, and a half is kept over."""
    Allowance.objects.all().delete()
    rate: Rate = {"events": capacity, "seconds": capacity * 1000}
    held = float(capacity)
    for wanted, events_later in steps:
        got = take(alice.pk, "events", rate, most=wanted).count
        assert got == min(wanted, int(held))
        held -= got
        # A hundredth more, so that the time that this test itself takes decides nothing.
        let_pass(1000 * (events_later + 0.01))
        held = min(capacity, held + events_later + 0.01)


@needs_committed
def test_a_user_who_is_gone_is_none(users: Users) -> None:
    nobody = users("nobody")
    key = nobody.pk
    nobody.delete()

    with pytest.raises(NotAuthenticated):
        take(key, "events", SLOW)


@needs_committed
@pytest.mark.parametrize("most", [1, 2])
def test_of_many_who_ask_at_once_no_more_get_some_than_there_is(users: Users, most: int) -> None:
    for _ in range(5):
        key = users("busy").pk

        got = race(12, lambda _, key=key: take(key, "events", SLOW, most=most).count)

        assert sum(map(int, got)) == 5, got


@needs_committed
def test_an_allowance_goes_with_its_user(users: Users) -> None:
    user = users("short")
    take(user.pk, "events", SLOW)

    user.delete()

    assert not Allowance.objects.filter(user_id=user.pk).exists()


@pytest.mark.django_db
def test_allowances_that_are_full_are_pruned(alice: Any, users: Users, capsys: Any) -> None:
    bob = users("bob")
    take(alice.pk, "events", SLOW, most=5)
    take(bob.pk, "events", {"events": 5, "seconds": 0.001})
    let_pass(120)

    call_command("prune_chat")

    assert "allowances: 1 deleted" in capsys.readouterr().out
    assert list(Allowance.objects.values_list("user_id", flat=True)) == [alice.pk]


# In a process


#: How much slower time passes in these tests.
SLOWLY = 10_000


class Time:
    """A clock that the test moves, and the database's allowances with it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def let_pass(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds
        let_pass(seconds)


@pytest.fixture
def time() -> Time:
    return Time()


def send(budget: Budget, count: int = 1) -> Counter[str]:
    """Send events; count what became of each."""
    became: Counter[str] = Counter()
    for _ in range(count):
        try:
            budget.spend()
            became["passed"] += 1
        except Ignored:
            became["ignored"] += 1
        except RateLimited:
            became["refused"] += 1
    return became


def send_until_refused(budget: Budget) -> None:
    while True:
        budget.spend()


@pytest.fixture
def slow(settings: Settings) -> Rate:
    """A rate at which nothing comes back while a test runs."""
    rate: Rate = {"events": 10, "seconds": 1_000_000}
    settings.REALTIME_CHAT_MESSAGING = {"USER_RATE_LIMIT": rate}
    return rate


@pytest.fixture
def slowly(settings: Settings) -> None:
    """The default, but slower by so much that the time that a test takes is nothing."""
    rate: Rate = {"events": 1000, "seconds": 10 * SLOWLY}
    settings.REALTIME_CHAT_MESSAGING = {"USER_RATE_LIMIT": rate}


@pytest.mark.django_db
def test_all_processes_together_give_what_the_rate_allows(
    alice: Any, time: Time, slow: Rate
) -> None:
    one, other = Budget(alice.pk, time), Budget(alice.pk, time)

    assert send(one, 4) + send(other, 4) + send(one, 1) == {"passed": 9}
    assert send(other, 3) == {"passed": 1, "refused": 2}
    assert send(one, 2) == {"refused": 2}


@pytest.mark.django_db
def test_a_process_that_is_new_gives_nothing_more(alice: Any, time: Time, slow: Rate) -> None:
    send(Budget(alice.pk, time), 10)

    assert send(Budget(alice.pk, time), 3) == {"refused": 3}


@pytest.mark.django_db
def test_who_sends_little_costs_the_database_nothing(alice: Any, time: Time, slowly: None) -> None:
    budget = Budget(alice.pk, time)

    with CaptureQueriesContext(connection) as captured:
        for _ in range(100):
            assert send(budget, 5) == {"passed": 5}
            time.now += SLOWLY

    assert len(captured) == 0


@pytest.mark.django_db
def test_who_sends_much_costs_a_statement_for_a_hundred_events(
    alice: Any, time: Time, slowly: None
) -> None:
    """By default: a thousand at once, and a twentieth that is the process's own to give."""
    budget = Budget(alice.pk, time)

    with CaptureQueriesContext(connection) as captured:
        assert send(budget, 1050) == {"passed": 1050}
    assert len(captured) == 10
    with CaptureQueriesContext(connection) as captured:
        assert send(budget, 20) == {"refused": 20}
    assert len(captured) == 2, "who was refused is refused without asking"


@pytest.mark.django_db
def test_waiting_as_long_as_told_is_enough(alice: Any, time: Time, slowly: None) -> None:
    budget = Budget(alice.pk, time)
    send(budget, 1050)
    for _ in range(5):
        with pytest.raises(RateLimited) as refused:
            send_until_refused(budget)
        wait = refused.value.detail["retry_after"]  # type: ignore[index, call-overload]
        assert wait == pytest.approx(SLOWLY, rel=0.01), "a tenth of the time"
        time.let_pass(wait)
        assert send(budget, 100) == {"passed": 100}


@pytest.mark.django_db
@pytest.mark.parametrize("speed", [170, 1000])
def test_a_client_that_goes_on_above_the_rate_is_given_up(
    alice: Any, time: Time, speed: int, slowly: None
) -> None:
    """However little it is above: what comes back meanwhile must not make up for it."""
    budget = Budget(alice.pk, time)
    became: Counter[str] = Counter()
    for _ in range(30 * speed):
        became += send(budget)
        time.let_pass(SLOWLY / speed)
        if became["ignored"]:
            break

    assert became["ignored"]
    assert became["passed"] >= 1000


@pytest.mark.django_db
def test_a_client_that_keeps_to_the_rate_never_meets_it(
    alice: Any, time: Time, slowly: None
) -> None:
    budget = Budget(alice.pk, time)
    for _ in range(40):
        assert send(budget, 100) == {"passed": 100}
        time.let_pass(SLOWLY)


@pytest.mark.django_db
def test_after_so_many_refusals_in_a_row_a_client_is_given_up(
    alice: Any, time: Time, slow: Rate
) -> None:
    budget = Budget(alice.pk, time)

    became = send(budget, 10 + rates.PATIENCE + 3)

    assert became == {"passed": 10, "refused": rates.PATIENCE, "ignored": 3}


@pytest.mark.django_db
def test_a_large_event_counts_as_several(alice: Any, time: Time, slow: Rate) -> None:
    budget = Budget(alice.pk, time)

    assert [rates.get_cost(size) for size in (0, 16_383, 16_384, 2**20)] == [1, 1, 2, 65]
    budget.spend(8)
    with pytest.raises(RateLimited):
        budget.spend(3)
    assert send(Budget(alice.pk, time), 3) == {"passed": 2, "refused": 1}


@pytest.mark.django_db
def test_an_event_that_is_larger_than_the_rate_passes_alone(
    alice: Any, time: Time, slow: Rate
) -> None:
    Budget(alice.pk, time).spend(65)

    assert send(Budget(alice.pk, time)) == {"refused": 1}


@needs_committed
def test_threads_of_a_process_share_a_budget(users: Users, slow: Rate) -> None:
    for _ in range(5):
        budget = Budget(users("busy").pk)

        became = race(8, lambda _, budget=budget: send(budget, 4))

        total = sum((each for each in became if isinstance(each, Counter)), Counter())
        assert total["passed"] == 10, became
        assert total.total() == 32


def test_without_a_rate_everything_passes(settings: Settings) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"USER_RATE_LIMIT": None}
    budget = Budget(0)

    assert send(budget, 10_000) == {"passed": 10_000}
    budget.lease(5)


def test_a_user_has_one_budget_in_a_process_until_it_is_full_again(settings: Settings) -> None:
    time = Time()
    budgets = rates.Budgets(time)
    kept = budgets.find(1)
    time.now += 5
    passing = budgets.find("2")

    assert budgets.find(1) is kept
    time.now += 61
    settings.REALTIME_CHAT_MESSAGING = {"USER_RATE_LIMIT": {"events": 9, "seconds": 65}}
    assert budgets.find("2") is passing
    assert budgets.find(1) is not kept


def test_the_row_of_an_allowance_can_be_locked_before_there_is_one(users: Users, orm: Any) -> None:
    user = users("locked")

    def lock() -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute(*rates.lock(user.pk, rates.SOCKETS))
            return Allowance.objects.filter(user_id=user.pk).count()

    assert orm(lock) == 1
