"""The protocol's events, by noun."""

from collections import Counter
from typing import Any

from event_bridge import events, operations
from event_bridge.events import DISPATCHES, EVENTS, map_events
from gql_chat.schema import get_graphql_schema


def test_every_event_of_the_schema_becomes_a_frame() -> None:
    schema = get_graphql_schema()
    union: Any = schema.type_map["ChatEvent"]
    assert {found.name for found in schema.get_possible_types(union)} == set(DISPATCHES)


def test_every_event_belongs_to_one_noun() -> None:
    asked = Counter(name for noun in EVENTS.values() for name in noun.routes)
    told = Counter(kind for noun in EVENTS.values() for kind in noun.dispatches)

    # Pages of rooms take the place of the list that knows none.
    assert {name for name, count in asked.items() if count > 1} == {"room.list"}
    assert set(told.values()) == {1}
    assert (set(asked), set(told)) == (set(map_events()), set(DISPATCHES))


def test_a_project_finds_the_events_where_the_documentation_says() -> None:
    assert operations.map_events is events.map_events
