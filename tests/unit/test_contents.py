"""Contents are cleaned before the operation that stores them, and once."""

import sys
from typing import Any

import pytest

from event_bridge.operations import events
from gql_chat import edit_message, errors, send_message, streams
from gql_chat.conf import chat_settings
from gql_chat.contents import Contents
from gql_chat.models import GroupChat, get_model
from gql_chat.operations import EventHandler
from gql_chat.schema import Context, find_markup


class Sanitizer:
    """A project's way of cleaning, which notes what it is asked for.

    Attributes:
        asked: the contents, each with whether an operation was running.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, handler: Any, content: str) -> str:
        self.asked.append((content, streams.is_running()))
        if "advertising" in content:
            raise errors.Invalid({"content": "No advertising here."})
        return f"{handler.user.get_username()}: {content.upper()}"


@pytest.fixture
def sanitizer(monkeypatch: pytest.MonkeyPatch) -> Sanitizer:
    """What a project's `EventHandler.sanitize` does."""
    sanitizer = Sanitizer()

    def sanitize(self: Any, content: str) -> str:
        return sanitizer(self, content)

    monkeypatch.setattr(chat_settings.load("EVENT_HANDLER_CLASS"), "sanitize", sanitize)
    return sanitizer


def test_what_became_of_a_content_is_kept_until_another_comes() -> None:
    contents = Contents()
    asked = []

    def sanitize(content: str) -> str:
        asked.append(content)
        if content == "bad":
            raise errors.Invalid({"content": "bad"})
        return content.upper()

    for _ in range(2):
        contents.clean("good", sanitize)
        assert contents.find("good") == "GOOD"
        assert contents.find("other") is None
    for _ in range(2):
        contents.clean("bad", sanitize)
        with pytest.raises(errors.Invalid, match="bad"):
            contents.find("bad")

    assert asked == ["good", "bad"]
    assert contents.find("good") is None


@pytest.mark.parametrize(
    ("mutation", "fields", "markup"),
    [
        ("send_message", {"content": "<b>x</b>"}, "<b>x</b>"),
        ("send_message", {"content": "1 < 2"}, "1 < 2"),
        ("send_message", {"content": "plain"}, None),
        ("send_message", {"content": None}, None),
        ("send_message", {"content": ["<b>"]}, None),
        ("send_message", {}, None),
        ("send_message", {"extra_fields": {"content": "<b>"}}, None),
        ("send_message", None, None),
        ("edit_message", {"extra_fields": {"content": "<b>x</b>"}}, "<b>x</b>"),
        ("edit_message", {"extra_fields": {"content": "plain"}}, None),
        ("edit_message", {"extra_fields": {"content": 1}}, None),
        ("edit_message", {"extra_fields": {}}, None),
        ("edit_message", {"extra_fields": ["<b>"]}, None),
        ("edit_message", {"extra_fields": None}, None),
        ("edit_message", {"content": "<b>"}, None),
        ("create_room", {"content": "<b>"}, None),
    ],
)
def test_the_markup_of_an_event_is_found_whatever_a_client_gives(
    mutation: str, fields: Any, markup: str | None
) -> None:
    assert find_markup(mutation, fields) == markup


def test_server_code_cleans_before_its_transaction(
    group: GroupChat, alice: Any, sanitizer: Sanitizer
) -> None:
    message = send_message(group, "<b>sent</b>", sender=alice)
    edited = edit_message(message, "<b>edited</b>", by=alice)

    assert sanitizer.asked == [("<b>sent</b>", False), ("<b>edited</b>", False)]
    assert message.content == f"{alice.get_username()}: <B>SENT</B>"
    assert edited.content == f"{alice.get_username()}: <B>EDITED</B>"


def test_finding_the_content_of_a_call_works_out_no_signature(group: GroupChat, alice: Any) -> None:
    handler = EventHandler(alice.pk)
    modules: set[Any] = set()

    def note(frame: Any, event: str, argument: Any) -> None:
        modules.add(frame.f_globals.get("__name__"))

    sys.setprofile(note)
    try:
        handler.send_message(group.pk, "hello")
        handler.send_message(room_id=group.pk, content="hello")
    finally:
        sys.setprofile(None)

    assert "gql_chat.operations.messages" in modules
    assert "inspect" not in modules


def test_what_was_cleaned_for_an_event_is_what_is_stored(
    group: GroupChat, alice: Any, sanitizer: Sanitizer
) -> None:
    data = {"room_id": str(group.pk), "content": "<b>sent</b>"}
    event, context = events().find("message.send", data), Context(alice.pk)
    markup = event.find_markup(data)
    assert markup == "<b>sent</b>"
    context.clean(markup)

    event.run(data, context)
    # As after a deadlock: all of it again, by operations that are made anew.
    del context.handler
    event.run(data, context)

    assert sanitizer.asked == [("<b>sent</b>", False)]
    stored = get_model("Message").objects.values_list("content", flat=True)
    assert list(stored) == [f"{alice.get_username()}: <B>SENT</B>"] * 2


@pytest.mark.parametrize("is_prepared", [True, False])
def test_what_is_wrong_with_a_content_is_told_after_what_is_checked_first(
    is_prepared: bool, group: GroupChat, alice: Any, carol: Any, sanitizer: Sanitizer
) -> None:
    def refusal(user: Any, **fields: Any) -> errors.ChatError:
        data = {"room_id": str(group.pk), "content": "<b>advertising</b>", **fields}
        event, context = events().find("message.send", data), Context(user.pk)
        if is_prepared:
            context.clean(data["content"])
        with pytest.raises(errors.ChatError) as raised:
            event.run(data, context)
        return raised.value

    nowhere = "00000000-0000-4000-8000-000000000000"
    assert refusal(alice, room_id=nowhere).code == 4004
    assert refusal(carol).code == 4002
    assert refusal(alice).detail == {"content": "No advertising here."}
    assert not get_model("Message").objects.exists()


def test_an_operation_reads_its_user_anew_whoever_cleaned(
    group: GroupChat, alice: Any, sanitizer: Sanitizer
) -> None:
    context = Context(alice.pk)
    context.clean("<b>sent</b>")

    assert "user" not in vars(context.handler)


def test_what_is_too_long_is_not_cleaned(
    group: GroupChat, alice: Any, sanitizer: Sanitizer
) -> None:
    with pytest.raises(errors.Invalid, match="At most 10000"):
        send_message(group, "<b>" * 4000, sender=alice)

    assert sanitizer.asked == []
