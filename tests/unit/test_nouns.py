"""The table of nouns: what it names is there, and what it leaves out is not in the schema."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from django.test import override_settings
from django.utils.module_loading import import_string
from graphql import GraphQLSchema

from event_bridge import events
from event_bridge.needs import find_problems
from gql_chat import nouns
from gql_chat.checks import check_settings
from gql_chat.conf import ChatSettings
from gql_chat.endpoint import schema as endpoint
from gql_chat.nouns import NOUNS, Noun
from gql_chat.operations import EventHandler
from gql_chat.schema import get_graphql_schema, rendering
from gql_chat.schema.events import package_events
from gql_chat.setting import declared


def endpoint_schema() -> GraphQLSchema:
    """The schema as the endpoint runs it."""
    return endpoint.get_schema()._schema


@pytest.fixture
def whole() -> GraphQLSchema:
    """The schema of all nouns."""
    return get_graphql_schema()


@pytest.fixture(params=["reactions", "receipts"])
def without(
    request: pytest.FixtureRequest, whole: GraphQLSchema, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Noun]:
    """Leave a noun out of the table that others can do without."""
    noun = next(noun for noun in NOUNS if noun.name == request.param)
    monkeypatch.setattr(nouns, "NOUNS", tuple(each for each in NOUNS if each is not noun))
    # What a schema is made of changes, so all that was built of one is built anew, now and after.
    with override_settings(REALTIME_CHAT_MESSAGING={"SERIALIZERS": {}}):
        yield noun


def types_of(noun: Noun, schema: GraphQLSchema) -> set[str]:
    """The types of a schema that stand in a noun's module."""
    found = set()
    for name, kind in schema.type_map.items():
        origin = getattr(kind.extensions.get("strawberry-definition"), "origin", None)
        if getattr(origin, "__module__", None) == noun.schema:
            found.add(name)
    return found


def events_of(noun: Noun) -> set[str]:
    """The events that a noun's module names."""
    return {event.__name__ for event in import_module(noun.schema).EVENTS}


def fields_of(schema: GraphQLSchema, *names: str) -> set[str]:
    """The fields of types of a schema, each with its type's name."""
    types: Any = schema.type_map
    return {f"{name}.{field}" for name in names for field in types[name].fields}


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


def test_a_noun_has_its_types_and_events_in_the_schema() -> None:
    schema = get_graphql_schema()

    for noun in NOUNS:
        assert types_of(noun, schema)
        assert events_of(noun) <= schema.type_map.keys()


def test_a_noun_that_is_left_out_has_nothing_in_the_schema(without: Noun) -> None:
    schema = get_graphql_schema()

    assert types_of(without, schema) == set()
    assert not events_of(without) & {event.__name__ for event in package_events()}
    for noun in nouns.find_nouns():
        assert types_of(noun, schema)
        assert events_of(noun) <= schema.type_map.keys()


BROUGHT = {
    "reactions": {"reactions", "reactions_count"},
    "receipts": {
        "delivered_to",
        "delivered_to_count",
        "read_receipts",
        "read_receipts_count",
    },
}
MESSAGES = ("Message", "QuotedMessage")


@pytest.mark.parametrize("get_schema", [get_graphql_schema, endpoint_schema], ids=["chat", "tools"])
def test_the_fields_that_a_noun_brings_to_others_go_with_it(
    get_schema: Callable[[], GraphQLSchema], whole: GraphQLSchema, without: Noun
) -> None:
    lost = {f"{name}.{field}" for name in MESSAGES for field in BROUGHT[without.name]}

    assert fields_of(whole, *MESSAGES) - fields_of(get_schema(), *MESSAGES) == lost
    selected = rendering.find_document("MessageSent").text.split()
    assert not BROUGHT[without.name] & set(selected)


def test_the_protocol_does_without_a_noun_that_is_left_out(without: Noun) -> None:
    gone = events.EVENTS[without.name]

    assert "message.send" in events.map_events()
    assert not gone.routes.keys() & events.map_events().keys()
    assert events.left_out() == gone.dispatches.keys()
    assert find_problems() == []
    # Events that the log has kept become the frames that they were.
    for kind, dispatch in gone.dispatches.items():
        assert events.find_dispatch(kind) == dispatch


# Features


def test_without_features_there_is_nothing_of_them() -> None:
    whole = fields_of(get_graphql_schema(), "MessagesDeleted")
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        for get_schema in (get_graphql_schema, endpoint_schema):
            bare = fields_of(get_schema(), "MessagesDeleted")
            assert whole - bare == {"MessagesDeleted.deleted_by"}
        assert "deleted_by" not in rendering.find_document("MessagesDeleted").text
        assert find_problems() == []
    assert fields_of(get_graphql_schema(), "MessagesDeleted") == whole


#: By feature, what it brings to the types and inputs of other nouns, and its events.
FEATURES = {
    "mentions": (
        {
            "Message.mentions",
            "QuotedMessage.mentions",
            "Notification.reason",
            "MessageFieldsInput.mentions",
            "MessageEditInput.mentions",
        },
        {"mention.list"},
    ),
    "room_preferences": (
        {
            "OneToOneChatSummary.preferences",
            "GroupChatSummary.preferences",
            "ChannelSummary.preferences",
        },
        {"room.preferences", "user.preferences"},
    ),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_goes_with_all_that_it_brings(feature: str) -> None:
    fields, named = FEATURES[feature]
    types = sorted({field.partition(".")[0] for field in fields})
    whole = fields_of(get_graphql_schema(), *types)
    events_of_all = events.map_events().keys()
    assert named <= events_of_all
    others = [name for name in ChatSettings.FEATURES.default if name != feature]
    for left in (others, []):
        with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": left}):
            lost = whole - fields_of(get_graphql_schema(), *types)
            assert lost >= fields
            assert lost == fields or left == []
            assert not named & events.map_events().keys()
            assert find_problems() == []
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": [feature]}):
        assert fields <= fields_of(get_graphql_schema(), *types)
        assert named <= events.map_events().keys()
        assert find_problems() == []


def test_a_noun_of_a_feature_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = replace(next(noun for noun in NOUNS if noun.name == "reactions"), feature="erasure")
    others = tuple(noun for noun in NOUNS if not noun.feature and noun.name != "reactions")
    monkeypatch.setattr(nouns, "NOUNS", (*others, brought))

    assert nouns.find_nouns() == (*others, brought)
    assert nouns.has_part("reactions")
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": []}):
        assert nouns.find_nouns() == others
        assert not nouns.has_part("reactions")
        assert not nouns.has_part("erasure")
        assert not nouns.has_feature("erasure")


@pytest.mark.parametrize("named", [(), [], set(), frozenset({"erasure"}), ("erasure",)])
def test_a_project_names_the_features_that_it_wants(named: Any) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": named}):
        assert check_settings() == []
        assert nouns.has_feature("erasure") == ("erasure" in named)


@pytest.mark.parametrize("named", ["erasure", ("erasures",), {"erasure": True}, None, [1], [[]]])
def test_an_unknown_feature_is_named_at_start(named: Any) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": named}):
        (problem,) = check_settings()

    assert problem.id == "gql_chat.E004"
    assert repr(named) in problem.msg
    assert "'erasure'" in str(problem.hint)
