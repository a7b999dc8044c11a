"""The settings object and the system checks that name what is configured wrongly."""

import copy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import strawberry
from django.core.checks import CheckMessage, Error, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils.module_loading import import_string

from event_bridge.operations import Operation, events
from event_bridge.routing import get_websocket_urlpatterns
from gql_chat import conf
from gql_chat.conf import (
    ChatSettings,
    chat_settings,
    defaults,
    merge,
    model_label,
    per_settings,
)
from gql_chat.errors import ExceptionHandler, Invalid
from gql_chat.limits import Limits
from gql_chat.models import GroupChat, Message, Reaction, get_model, registry
from gql_chat.operations import EventHandler
from gql_chat.permissions import PermissionHandler
from gql_chat.schema import get_schema
from gql_chat.schema.rendering import find_document
from gql_chat.schema.types import User
from gql_chat.setting import NamesSetting, declared
from tests.timing import PATIENCE
from tests.unit.making import perform

DEFAULTS = defaults()
NESTED = [
    name for name, setting in declared(ChatSettings).items() if isinstance(setting, NamesSetting)
]
PATHS = [
    "CHAT_CONSUMER_CLASS",
    "EVENT_MAPPER",
    "EVENT_HANDLER_CLASS",
    "PERMISSION_HANDLER_CLASS",
    "EXCEPTION_HANDLER_CLASS",
    "GRAPHQL_ACCESS",
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


def test_a_project_that_wants_no_rate_has_those_that_it_names() -> None:
    room_rate = {"events": 5, "seconds": 1}

    assert merge({"RATE_LIMIT": None})["USER_RATE_LIMIT"] is None
    assert merge({"RATE_LIMIT": None, "ROOM_RATE_LIMIT": room_rate})["ROOM_RATE_LIMIT"] == room_rate
    assert merge({"RATE_LIMIT": room_rate})["USER_RATE_LIMIT"] == merge({})["USER_RATE_LIMIT"]
    assert merge({})["USER_RATE_LIMIT"] is not None


def test_an_unknown_key_is_told_what_may_be_meant() -> None:
    with pytest.raises(ImproperlyConfigured, match="Did you mean 'MAX_PAGE_SIZE'"):
        merge({"max_page_sizes": 1})
    with pytest.raises(ImproperlyConfigured) as caught:
        merge({"COLOUR": 1})
    assert "Did you mean" not in str(caught.value)


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
        chat_settings.NO_SUCH_SETTING  # type: ignore[attr-defined]  # noqa: B018


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


def test_what_was_imported_while_the_settings_changed_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported = iter(["old", "new"])

    def import_slowly(name: str, value: Any) -> Any:
        found = next(imported)
        if found == "old":
            chat_settings.reload()
        return found

    chat_settings.reload()
    monkeypatch.setattr(conf, "_import", import_slowly)
    try:
        assert chat_settings.load("EVENT_HANDLER_CLASS") == "old"
        assert [chat_settings.load("EVENT_HANDLER_CLASS") for _ in range(2)] == ["new", "new"]
    finally:
        chat_settings.reload()


def test_threads_that_need_a_schema_at_the_same_time_have_one() -> None:
    built: list[object] = []

    def build() -> object:
        built.append(object())
        for _ in range(5000):
            pass
        return built[-1]

    rounds, threads = 20, 8
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for number in range(1, rounds + 1):
            get, begin = per_settings(build), threading.Barrier(threads)

            def get_with_others(_: int, get: Any = get, begin: threading.Barrier = begin) -> object:
                begin.wait(PATIENCE)
                return get()

            with ThreadPoolExecutor(threads) as pool:
                assert set(pool.map(get_with_others, range(threads))) == {built[-1]}
            assert len(built) == number
    finally:
        sys.setswitchinterval(interval)


def test_the_prepared_documents_follow_the_settings() -> None:
    table, schema = events(), get_schema()
    assert events() is table

    with chat(EVENT_MAPPER=dict):
        assert "room.list" not in events()
        assert get_schema() is not schema

    assert "room.list" in events()


def test_a_limit_takes_effect_and_the_prepared_documents_stay() -> None:
    table, schema, document = events(), get_schema(), find_document("MessageSent")

    with chat(MAX_PAGE_SIZE=2):
        assert chat_settings.MAX_PAGE_SIZE == 2
        assert events() is table
        assert get_schema() is schema
        assert find_document("MessageSent") is document

    class Handler(EventHandler):
        pass

    with chat(EVENT_HANDLER_CLASS=Handler):
        assert get_schema() is not schema
        assert find_document("MessageSent") is not document


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


def problems() -> list[CheckMessage]:
    return run_checks(tags=["gql_chat", "event_bridge"])


def the_problem(name: str, value: Any) -> CheckMessage:
    """The only problem, which names the setting, its value and what to do."""
    (problem,) = problems()
    assert isinstance(problem, Error)
    assert problem.msg.startswith(f"REALTIME_CHAT_MESSAGING[{name!r}]")
    assert repr(value) in problem.msg
    assert problem.hint
    return problem


def test_the_defaults_pass_the_checks() -> None:
    assert problems() == []


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("value", ["nowhere.Nothing", "gql_chat.operations.Nothing", "no_dots", ""])
def test_a_path_that_does_not_import_is_named_with_its_value(name: str, value: str) -> None:
    with chat(**{name: value}):
        the_problem(name, value)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("value", ["gql_chat.errors.Invalid", "gql_chat.conf.SETTING", None, 5])
def test_a_class_of_another_base_is_refused(name: str, value: Any) -> None:
    with chat(**{name: value}):
        the_problem(name, value)


def test_a_subclass_or_a_function_of_the_projects_is_taken() -> None:
    for name in PATHS:
        default = import_string(DEFAULTS[name])
        own = type("Own", (default,), {}) if isinstance(default, type) else lambda *args: {}
        with chat(**{name: own}):
            assert problems() == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(
            (flag, (None, 0, 1, "True", []))
            for flag in (
                "MESSAGE_SOFT_DELETE",
                "ENABLE_NOTIFICATION",
                "GRAPHQL_INTROSPECTION",
                "RELATIVE_LINKS",
            )
        ),
        ("SANITIZER", (None, "", "NH3", "lxml", 1, ["bleach"])),
        ("ID_AND_CLASS_PREFIX", (0, False, "1-", "a b", "-", 'x"', "x" * 33, b"chat-")),
        *(
            (limit, ("ten", 0, -1, 1.5, True, [], {}))
            for limit in (
                name
                for name in vars(Limits)
                # None at all is a limit, too.
                if "MAX_" in name and name != "MAX_MEDIA_ITEMS"
            )
        ),
        ("MAX_MEDIA_ITEMS", ("ten", -1, 1.5, True)),
        ("MENTION_ALL_FREELY", ("ten", -1, 1.5, True)),
        ("INACTIVITY_THRESHOLD", (None, "60", 0, -1, True, float("inf"), float("nan"))),
        ("LOCK_TIMEOUT", ("2 s", 0, -1, True, float("nan"), float("inf"), 2_147_484)),
        ("EVENT_LOG_RETENTION", ("7 days", 0, -1, True, timedelta(days=7))),
        (
            "USER_FIELDS",
            (
                None,
                "id",
                [],
                ["id"],
                ["username", "email"],
                ["id", "username", "phone"],
                ["id", "username", 5],
                {"id", "username"},
            ),
        ),
        ("HIDE_FORBIDDEN", (None, 1, "yes")),
        ("WEBSOCKET_PATH", (None, 5, "messaging", "", "messaging/?a=/", "a b/", b"messaging/")),
        *(
            (
                rate,
                (
                    *(100, "100/10", [100, 10], {}),
                    {"events": 100},
                    *({"events": count, "seconds": 10} for count in (0, "100", 1.5)),
                    {"events": 100, "seconds": 0},
                    {"events": 100, "seconds": 10, "burst": 1},
                ),
            )
            for rate in ("RATE_LIMIT", "USER_RATE_LIMIT", "ROOM_RATE_LIMIT")
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_remedy(name: str, values: Any) -> None:
    for value in values:
        with chat(**{name: value}):
            the_problem(name, value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("MESSAGE_SOFT_DELETE", (True,)),
        ("INACTIVITY_THRESHOLD", (1, 0.5)),
        ("WEBSOCKET_PATH", ("/", "/ws/chat/", "v1.0/")),
        ("USER_FIELDS", (["id", "username"], ("email", "username", "id"), DEFAULTS["USER_FIELDS"])),
        ("HIDE_FORBIDDEN", (True,)),
        ("SANITIZER", ("bleach", "nh3")),
        ("ID_AND_CLASS_PREFIX", (None, "", "chat-", "X")),
        *((name, (1, None)) for name in ("MAX_PAGE_SIZE", "MAX_NOTIFICATIONS", "MAX_IDS")),
        ("MAX_MEDIA_ITEMS", (0, None)),
        ("RATE_LIMIT", ({"events": 1, "seconds": 0.5},)),
        ("USER_RATE_LIMIT", ({"events": 1, "seconds": 0.5}, None)),
        ("ROOM_RATE_LIMIT", (None,)),
        ("LOCK_TIMEOUT", (0.5, 2, 2_147_483, None)),
        ("EVENT_LOG_RETENTION", (1, None)),
    ],
)
def test_a_value_of_the_right_kind_is_taken(name: str, values: Any) -> None:
    for value in values:
        with chat(**{name: value}):
            assert problems() == []


def test_every_setting_has_a_rule() -> None:
    """A new one shall not go unchecked."""
    ruled = [name for name, setting in declared(ChatSettings).items() if setting.kind is not None]

    assert {*ruled, *PATHS, *NESTED} == set(DEFAULTS)


@pytest.mark.parametrize("name", DEFAULTS["SERIALIZERS"])
@pytest.mark.parametrize(
    "value",
    ["nowhere.Nothing", "gql_chat.errors.Invalid", "gql_chat.schema.messages.MediaInput", None],
)
def test_a_serializer_that_is_no_type_is_named_with_its_value(name: str, value: Any) -> None:
    with chat(SERIALIZERS={name: value}):
        (problem,) = problems()

    assert "SERIALIZERS" in problem.msg
    assert repr(name) in problem.msg
    assert repr(value) in problem.msg
    assert problem.hint


def test_a_type_that_is_not_decorated_is_told_from_its_base() -> None:
    class Undecorated(User):
        avatar: str

    with chat(SERIALIZERS={"User": Undecorated}):
        (problem,) = problems()
    with chat(SERIALIZERS={"User": strawberry.type(Undecorated)}):
        assert problems() == []

    assert "@strawberry.type" in str(problem.hint)


@pytest.mark.parametrize("name", ["GroupChat", "ChannelSummary"])
def test_what_shows_a_room_is_one_of_the_rooms(name: str) -> None:
    with chat(SERIALIZERS={name: User}):
        (problem,) = problems()

    assert problem.msg.endswith("Room." if name == "GroupChat" else "RoomSummary.")


@pytest.mark.parametrize("name", DEFAULTS["MODELS"])
@pytest.mark.parametrize("label", ["nowhere.Model", "gql_chat.Nothing", "no_dots", "a.b.c", None])
def test_a_model_that_is_not_installed_is_named_with_its_value(name: str, label: Any) -> None:
    with chat(MODELS={name: label}):
        (problem,) = problems()

    assert f"['MODELS'][{name!r}] is {label!r}" in problem.msg
    assert "installed" in problem.msg
    assert problem.hint


@pytest.mark.parametrize("name", DEFAULTS["MODELS"])
def test_a_model_of_another_base_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the process had started so.
    monkeypatch.setattr(
        registry, "model_label", lambda each: "auth.Group" if each == name else model_label(each)
    )
    with chat(MODELS={name: "auth.Group"}):
        found = [problem for problem in problems() if f"[{name!r}]" in problem.msg]

    (problem,) = found
    assert "auth.Group" in problem.msg
    assert problem.hint


def test_a_room_type_with_the_rules_of_another_is_refused() -> None:
    with chat(MODELS={"GroupChat": "gql_chat.Channel"}):
        (problem,) = problems()

    assert "'Channel'" in problem.msg
    assert "'GroupChat'" in str(problem.hint)


def test_the_model_of_a_table_stays_what_it_was_when_the_process_started() -> None:
    with chat(MODELS={"Message": "gql_chat.Reaction"}):
        with pytest.raises(ImproperlyConfigured, match="cannot change while it runs"):
            get_model("Message")
        assert get_model("Reaction") is Reaction
    assert get_model("Message") is Message


@pytest.mark.parametrize("given", [{"NO_SUCH_SETTING": 1}, {"MODELS": {"NO_SUCH_MODEL": ""}}, []])
def test_the_check_reports_what_reading_would_raise(given: Any) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING=given):
        (problem,) = problems()

    assert "REALTIME_CHAT_MESSAGING" in problem.msg


def test_all_wrong_values_are_named_at_once() -> None:
    with chat(
        **dict.fromkeys(PATHS, "nowhere.Nothing"),
        SERIALIZERS={"User": "nowhere.Nothing"},
        MODELS={"GroupChat": "nowhere.Nothing"},
        MAX_PAGE_SIZE="ten",
    ):
        messages = [problem.msg for problem in problems()]

    for name in (*PATHS, "User", "MODELS", "MAX_PAGE_SIZE"):
        assert sum(f"{name!r}" in message for message in messages) == 1


@pytest.mark.parametrize(
    "mapper",
    [lambda: None, lambda: {1: Operation("rooms")}, lambda: {"a": "rooms"}, lambda: 1 / 0],
)
def test_a_mapper_that_returns_no_operations_is_named(mapper: Any) -> None:
    with chat(EVENT_MAPPER=mapper):
        the_problem("EVENT_MAPPER", mapper)


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
