"""The coalescer, under a clock of the test's: few changes are told, and always the last one."""

from collections import defaultdict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gql_chat.presence import Coalescer

INTERVAL = 5.0
KEYS = ("a", "b", "c")

#: What happens: so much time passes, then a key has a value, or is forgotten, or it is looked.
steps = st.lists(
    st.tuples(
        st.floats(0, 7, allow_nan=False),
        st.one_of(
            st.tuples(st.sampled_from(KEYS), st.sampled_from(["online", "away", "offline"])),
            st.tuples(st.sampled_from(KEYS), st.none()),
            st.none(),
        ),
    ),
    max_size=60,
)


@given(steps)
def test_few_changes_are_told_and_always_the_last_one(
    happened: list[tuple[float, tuple[str, str | None] | None]],
) -> None:
    changes: Coalescer[str, str] = Coalescer(INTERVAL)
    now = 0.0
    told: dict[str, str] = {}
    told_at: dict[str, list[float]] = defaultdict(list)
    current: dict[str, str] = {}

    def tell() -> None:
        due = changes.next_due
        found = changes.take_due(now)
        assert bool(found) == (due is not None and due <= now)
        for key, value in found:
            assert told.get(key) != value, "a change is one"
            assert value == current[key], "it is the latest value"
            told[key] = value
            told_at[key].append(now)

    for passed, event in happened:
        now += passed
        if event is not None:
            key, value = event
            if value is None:
                changes.forget(key)
                told.pop(key, None)
                current.pop(key, None)
                told_at[key].clear()
            else:
                current[key] = value
                changes.offer(key, value, now)
        tell()
    # Whoever only waits for what is due next hears all of it.
    while (due := changes.next_due) is not None:
        now = max(now, due)
        tell()

    assert told == current
    for times in told_at.values():
        # As the coalescer adds it up: the difference of two times is rounded otherwise.
        assert all(b >= a + INTERVAL for a, b in pairwise(times))


def test_a_socket_that_flaps_for_an_hour_is_told_of_as_seldom_as_may_be() -> None:
    changes: Coalescer[str, str] = Coalescer(INTERVAL)
    told = []
    for tenth in range(36_000):
        now = tenth / 10
        changes.offer("bob", "online" if tenth % 2 else "offline", now)
        told += changes.take_due(now)

    assert 0 < len(told) <= 3600 / INTERVAL + 1


def test_who_is_forgotten_and_known_again_begins_anew() -> None:
    changes: Coalescer[str, str] = Coalescer(INTERVAL)
    told = []
    for now, value in ((5.0, "online"), (5.5, "offline")):
        changes.offer("bob", value, now)
        told += changes.take_due(now)
    changes.forget("bob")
    for now, value in ((6.0, "offline"), (7.0, "online"), (10.0, "away")):
        changes.offer("bob", value, now)
        told += changes.take_due(now)

    assert told == [("bob", "online"), ("bob", "offline")]
    assert changes.next_due == 11.0
    assert changes.take_due(11.0) == [("bob", "away")]


def test_the_first_change_is_told_at_once_and_what_comes_back_is_none() -> None:
    changes: Coalescer[str, str] = Coalescer(INTERVAL)
    changes.start("bob", "offline")
    changes.offer("bob", "offline", 0.0)
    assert changes.next_due is None

    changes.offer("bob", "online", 1.0)
    assert changes.take_due(1.0) == [("bob", "online")]
    changes.offer("bob", "offline", 2.0)
    assert changes.take_due(5.9) == []
    changes.offer("bob", "online", 5.9)
    assert changes.take_due(100.0) == []
    assert "bob" in changes
    changes.forget("bob")
    assert "bob" not in changes
