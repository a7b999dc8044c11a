"""The table itself: it has every event, and each row of it says something."""

import pytest

from event_bridge.declarations import Choice
from event_bridge.events import map_events
from tests.rights.cases import CASES
from tests.rights.table import ANY, OUTSIDERS, ROOMS, TABLE, find, names_of, read
from tests.rights.world import roles_of

#: What the socket answers by itself.
SOCKET = {"session.heartbeat", "session.resume"}
EVERYBODY = ("deactivated", "anonymous")


def test_every_event_has_cases_and_rows() -> None:
    events = {*map_events(), *SOCKET}

    assert set(CASES) == events
    assert names_of(TABLE) == events


@pytest.mark.parametrize(
    ("event", "choice"),
    [(name, route) for name, route in map_events().items() if isinstance(route, Choice)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_choice_of_an_event_is_tried(event: str, choice: Choice) -> None:
    tried = {what.split(" ", 1)[0] for what in CASES[event]}

    assert tried >= set(choice.options)


@pytest.mark.parametrize("room", ROOMS)
def test_every_cell_has_a_row(room: str) -> None:
    missing = [
        (event, what, role)
        for event, cases in CASES.items()
        for what in cases
        for role in (*roles_of(room), *EVERYBODY)
        if find(event, what, room, role) is None
    ]

    assert missing == []


def test_every_row_is_the_first_of_some_cell() -> None:
    used = {
        find(event, what, room, role)
        for event, cases in CASES.items()
        for what in cases
        for room in ROOMS
        for role in (*roles_of(room), *EVERYBODY)
    }

    assert [row for row in TABLE if row not in used] == []


def test_every_case_is_named_as_the_cases_are() -> None:
    known = {(event, what) for event, cases in CASES.items() for what in cases}
    named = {(event, what) for row in TABLE for event in row.event for what in row.what}

    assert {each for each in named if ANY not in each} <= known


def test_no_outsider_may_do_more_than_look_whether_there_is_a_room() -> None:
    """Being a member is needed in every case; all but one event, and what is about no room."""
    allowed = {
        (event, room)
        for event, cases in CASES.items()
        for what in cases
        for room in ROOMS
        for role in OUTSIDERS
        if event != "room.create"
        and (row := find(event, what, room, role)) is not None
        and row.outcome in ("ok", "nothing", "shown")
    }

    # These say something of oneself.
    own = ("session.heartbeat", "presence.unsubscribe", "presence.set", "user.preferences")
    assert {each for each in allowed if each[0] not in own} == {("room.join", "public")}


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="janitor"):
        read("event | what | room | who | outcome\nroom.info | * | group | janitor | ok")
