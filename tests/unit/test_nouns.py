"""The table of nouns: what it names is there, and what it leaves out is not in the schema."""

from collections.abc import Iterator

import pytest
from django.utils.module_loading import import_string

from event_bridge import events
from gql_chat import nouns
from gql_chat.conf import ChatSettings
from gql_chat.nouns import NOUNS, Noun
from gql_chat.operations import EventHandler
from gql_chat.schema import build, parts
from gql_chat.schema.events import package_events
from gql_chat.setting import declared


@pytest.fixture
def without_reactions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    rest = tuple(noun for noun in NOUNS if noun.name != "reactions")
    monkeypatch.setattr(parts, "find_nouns", lambda: rest)
    yield
    monkeypatch.undo()
    build.serializers.install()  # the types of the whole table stand under their names again


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: str(noun.name))
def test_what_a_noun_names_is_there(noun: Noun) -> None:
    assert import_string(noun.operations) in EventHandler.__mro__
    assert set(noun.settings) <= declared(ChatSettings).keys()


def test_every_operation_stands_in_the_table() -> None:
    named = {import_string(noun.operations) for noun in NOUNS}
    unnamed = {base.__name__ for base in EventHandler.__bases__ if base not in named}

    # Pages are of messages; broadcasts are what server code sends.
    assert unnamed == {"PageOperations", "BroadcastOperations"}


def test_the_bridge_has_its_events_under_the_same_names() -> None:
    assert events.EVENTS.keys() <= {noun.name for noun in nouns.find_nouns()}


def test_the_bridge_takes_no_event_of_a_noun_that_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rest = tuple(noun for noun in NOUNS if noun.name != "reactions")
    monkeypatch.setattr(events, "find_nouns", lambda: rest)

    assert "message.send" in events.map_events()
    assert "message.react" not in events.map_events()


def test_a_noun_that_is_left_out_is_not_in_the_schema(without_reactions: None) -> None:
    schema = build.build_schema(build.strawberry.Schema, [])._schema

    assert schema.mutation_type is not None
    assert "send_message" in schema.mutation_type.fields
    assert "add_reaction" not in schema.mutation_type.fields
    assert "AddReactionInput" not in schema.type_map
    assert "MessageReacted" not in schema.type_map
    assert "MessageReacted" not in {event.__name__ for event in package_events()}
