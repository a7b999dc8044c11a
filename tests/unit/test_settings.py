"""The settings object and the system checks that name what is configured wrongly."""

import copy
from typing import Any

import pytest
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from event_bridge.operations import events
from event_bridge.routing import get_websocket_urlpatterns
from gql_chat.checks import check_settings
from gql_chat.conf import DEFAULTS, chat_settings, merge
from gql_chat.errors import ExceptionHandler, Invalid
from gql_chat.models import GroupChat, Message
from gql_chat.operations import EventHandler
from gql_chat.permissions import PermissionHandler
from gql_chat.schema import get_schema
from gql_chat.schema.types import User
from tests.unit.making import perform

NESTED = [name for name, value in DEFAULTS.items() if isinstance(value, dict)]
PATHS = [
    "CHAT_CONSUMER_CLASS",
    "EVENT_MAPPER",
    "EVENT_HANDLER_CLASS",
    "PERMISSION_HANDLER_CLASS",
    "EXCEPTION_HANDLER_CLASS",
]


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


# Merging


def test_a_project_that_sets_nothing_has_every_default() -> None:
    assert merge({}) == DEFAULTS
    assert {name: getattr(chat_settings, name) for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_setting_of_the_project_takes_the_place_of_the_default(name: str) -> None:
    value = {} if name in NESTED else object()

    merged = merge({name: value})

    assert merged == {**DEFAULTS, name: DEFAULTS[name] if name in NESTED else value}


@pytest.mark.parametrize("name", NESTED)
def test_nested_settings_merge_key_by_key(name: str) -> None:
    (first, *others) = DEFAULTS[name]

    merged = merge({name: {first: "project.Own"}})

    assert merged[name][first] == "project.Own"
    assert {key: merged[name][key] for key in others} == {
        key: DEFAULTS[name][key] for key in others
    }


def test_merging_leaves_the_defaults_alone() -> None:
    before = copy.deepcopy(DEFAULTS)
    merge({"MODELS": {"Room": "project.Room"}})["MODELS"]["Message"] = "project.Message"

    assert before == DEFAULTS


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"MAX_PAGE_SIZES": 1}, "MAX_PAGE_SIZES"),
        ({"max_page_size": 1}, "max_page_size"),
        ({"MODELS": {"Rooms": "x.Room"}}, "MODELS.*Rooms"),
        ({"SERIALIZERS": {"Membership": "x.y"}}, "SERIALIZERS.*Membership"),
        ({1: 2}, "1"),
    ],
)
def test_an_unknown_key_is_named_with_those_that_are_known(given: Any, named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"REALTIME_CHAT_MESSAGING.*{named}.*Known keys"):
        merge(given)


@pytest.mark.parametrize("given", [None, [], "text", 1, [("MAX_PAGE_SIZE", 1)]])
def test_settings_that_are_no_dict_are_refused(given: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="must be a dict"):
        merge(given)


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("value", [None, [], "gql_chat.Room"])
def test_a_nested_setting_that_is_no_dict_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        merge({name: value})


# Reading


def test_a_changed_setting_holds_at_once_and_until_it_is_changed_back() -> None:
    assert chat_settings.MAX_PAGE_SIZE == 100
    with chat(MAX_PAGE_SIZE=7):
        assert chat_settings.MAX_PAGE_SIZE == 7
        with chat(MAX_PAGE_SIZE=8):
            assert chat_settings.MAX_PAGE_SIZE == 8
        assert chat_settings.MAX_PAGE_SIZE == 7
    assert chat_settings.MAX_PAGE_SIZE == 100


def test_a_setting_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NO_SUCH_SETTING"):
        chat_settings.NO_SUCH_SETTING  # noqa: B018


def test_every_reading_of_wrong_settings_names_what_is_wrong() -> None:
    with chat(NO_SUCH_SETTING=1):
        for _ in range(2):
            with pytest.raises(ImproperlyConfigured, match="NO_SUCH_SETTING"):
                chat_settings.MAX_PAGE_SIZE  # noqa: B018


def test_a_path_is_imported_and_an_object_taken_as_it_is() -> None:
    class Handler(EventHandler):
        pass

    assert chat_settings.load("EVENT_HANDLER_CLASS") is EventHandler
    with chat(EVENT_HANDLER_CLASS=Handler):
        assert chat_settings.load("EVENT_HANDLER_CLASS") is Handler
    assert chat_settings.load("EVENT_HANDLER_CLASS") is EventHandler
    assert chat_settings.load("PERMISSION_HANDLER_CLASS") is PermissionHandler
    assert chat_settings.load("EXCEPTION_HANDLER_CLASS") is ExceptionHandler
    assert chat_settings.load_serializer("User") is User


def test_the_prepared_documents_follow_the_settings() -> None:
    table, schema = events(), get_schema()
    assert events() is table

    with chat(EVENT_MAPPER=dict):
        assert "room.list" not in events()
        assert get_schema() is not schema

    assert "room.list" in events()


def test_the_route_follows_the_settings() -> None:
    (default,) = get_websocket_urlpatterns()
    assert default.pattern.match("messaging/")
    assert not default.pattern.match("messaging/more")

    with chat(WEBSOCKET_PATH="/ws/chat/"):
        (route,) = get_websocket_urlpatterns()
    assert route.pattern.match("ws/chat/")
    assert not route.pattern.match("messaging/")


def test_the_path_of_the_route_is_text_not_a_pattern() -> None:
    with chat(WEBSOCKET_PATH="v1.0/chat"):
        (route,) = get_websocket_urlpatterns()

    assert route.pattern.match("v1.0/chat")
    assert not route.pattern.match("v1x0/chat")


# System checks


def test_the_defaults_pass_the_checks() -> None:
    assert check_settings() == []


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("value", ["nowhere.Nothing", "gql_chat.operations.Nothing", "no_dots", ""])
def test_a_path_that_does_not_import_is_named_with_its_value(name: str, value: str) -> None:
    with chat(**{name: value}):
        (problem,) = check_settings()

    assert isinstance(problem, Error)
    assert name in problem.msg
    assert repr(value) in problem.msg


@pytest.mark.parametrize("name", DEFAULTS["SERIALIZERS"])
def test_a_serializer_that_does_not_import_is_named_with_its_value(name: str) -> None:
    with chat(SERIALIZERS={name: "nowhere.Nothing"}):
        (problem,) = check_settings()

    assert f"SERIALIZERS[{name!r}]" in problem.msg
    assert "'nowhere.Nothing'" in problem.msg


@pytest.mark.parametrize("given", [{"NO_SUCH_SETTING": 1}, {"MODELS": {"NO_SUCH_MODEL": ""}}, []])
def test_the_check_reports_what_reading_would_raise(given: Any) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING=given):
        (problem,) = check_settings()

    assert "REALTIME_CHAT_MESSAGING" in problem.msg


def test_all_wrong_paths_are_named_at_once() -> None:
    with chat(**dict.fromkeys(PATHS, "nowhere.Nothing"), SERIALIZERS={"User": "nowhere.Nothing"}):
        messages = [problem.msg for problem in check_settings()]

    for name in (*PATHS, "User"):
        assert sum(name in message for message in messages) == 1


# None switches a limit off


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ("MAX_MESSAGE_LENGTH", {"content": "x" * 11}),
        (
            "MAX_MEDIA_ITEMS",
            {
                "media": [
                    {"media_url": "https://x.test", "media_type": "file", "mime_type": "text/csv"}
                ]
                * 11
            },
        ),
    ],
)
def test_a_limit_holds_and_none_switches_it_off(
    limit: str, what: dict[str, Any], group: GroupChat, alice: Any
) -> None:
    handler = EventHandler(alice.pk)
    with chat(**{limit: 10}), pytest.raises(Invalid, match="At most 10"):
        handler.send_message(group.pk, **what)
    with chat(**{limit: 11}):
        handler.send_message(group.pk, **what)
    with chat(**{limit: None}):
        handler.send_message(group.pk, **what)

    assert Message.objects.count() == 2


def test_a_page_is_capped_and_none_switches_that_off(group: GroupChat, alice: Any) -> None:
    Message.objects.bulk_create(Message(room=group, sender=alice) for _ in range(5))
    handler = EventHandler(alice.pk)

    def sizes() -> list[int]:
        pages = (handler.room_messages(group.pk), handler.room_messages(group.pk, page=1, size=4))
        return [len(page.messages) for page in pages]

    with chat(MAX_PAGE_SIZE=3):
        assert sizes() == [3, 3]
    with chat(MAX_PAGE_SIZE=None):
        assert sizes() == [5, 4]


def test_a_page_without_a_limit_has_a_size_on_the_wire(group: GroupChat, alice: Any) -> None:
    with chat(MAX_PAGE_SIZE=None):
        page, _ = perform(alice, "room.messages", {"room_id": str(group.pk)})

    assert page["data"]["messages"] == []


def test_without_notifications_none_are_made(group: GroupChat, alice: Any, bob: Any) -> None:
    with chat(ENABLE_NOTIFICATION=False):
        EventHandler(alice.pk).send_message(group.pk, "quiet")
        assert EventHandler(bob.pk).pending_notifications() == {}
    assert EventHandler(bob.pk).pending_notifications() == {}
