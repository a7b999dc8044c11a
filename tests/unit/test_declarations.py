"""What a project's types and handlers declare, and how a wrong declaration is named."""

from collections.abc import Iterator
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
import strawberry
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.test import override_settings

from gql_chat import columns, operations
from gql_chat.checks import check_declarations
from gql_chat.errors import Invalid, PermissionDenied
from gql_chat.events import Event
from gql_chat.models import AbstractMessage, GroupChat, Message, get_model
from gql_chat.schema import Context, Document, Info, get_schema, types, writable


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


def declaring(base: type, declaration: str, field: str) -> type:
    """Return a type that lets users write a field."""
    return strawberry.type(type(base.__name__, (base,), {declaration: (field,)}))


# Columns


def test_a_package_model_has_no_columns_of_a_projects() -> None:
    for name in ("Room", "Message", "MessageMediaAsset", "Reaction", "Session"):
        assert columns.own_columns(get_model(name)) == {}
    assert columns.own_columns(GroupChat) == {}


def refuse(value: str) -> None:
    """A validator of the project's."""
    raise ValidationError(f"The code is wrong: {value}")


@pytest.fixture
def urgent() -> Iterator[Any]:
    """A message model of a project's, for as long as the test runs."""

    class Urgent(AbstractMessage):
        room = models.ForeignKey("gql_chat.Room", models.CASCADE, related_name="+")
        priority = models.IntegerField()
        topic = models.ForeignKey("auth.Group", models.CASCADE, related_name="+")
        labels = models.JSONField(default=list)
        note = models.TextField(blank=True)
        kind = models.TextField(choices=[("a", "A"), ("b", "B")])
        code = models.TextField(validators=[refuse])

        class Meta:
            app_label = "gql_chat"

    yield Urgent
    del apps.all_models["gql_chat"]["urgent"]
    apps.clear_cache()


def test_the_columns_that_a_model_adds_are_the_projects_own(urgent: Any) -> None:
    names = {"priority", "topic", "topic_id", "labels", "note", "kind", "code"}
    assert set(columns.own_columns(urgent)) == names
    fields = {"priority": "7"}
    assert columns.clean_columns(urgent, fields, ["priority"], "data") == {"priority": 7}


def test_values_that_a_column_does_not_take_are_named(urgent: Any) -> None:
    fields = {"priority": "high", "sender": 1, "is_deleted": True}
    with pytest.raises(Invalid) as refused:
        columns.clean_columns(urgent, fields, ["priority"], "data")

    assert isinstance(refused.value.detail, dict)
    assert refused.value.detail.keys() == {f"data.{name}" for name in fields}


def test_a_client_fills_no_column_without_end(urgent: Any) -> None:
    """What the column itself would take in any size."""
    fields = {"labels": ["x" * 9000]}
    with pytest.raises(Invalid, match=r"data\.labels.*At most 8192 bytes"):
        columns.clean_columns(urgent, fields, fields, "data")
    fields = {"note": "x" * 10_001}
    with pytest.raises(Invalid, match=r"data\.note.*At most 10000 characters"):
        columns.clean_columns(urgent, fields, fields, "data")
    fields = {"note": "x" * 10_000}
    assert columns.clean_columns(urgent, fields, fields, "data") == fields


def test_an_error_of_a_column_repeats_little_of_a_value(urgent: Any) -> None:
    """Whoever wrote the sentence: Django, or a validator of the project's."""
    for name in ("priority", "kind", "code"):
        with pytest.raises(Invalid) as refused:
            columns.clean_columns(urgent, {name: "y" * 9000}, [name], "data")
        assert str(refused.value.detail).count("y") <= 110, refused.value.detail


def test_enumerated_values_are_stored_as_their_values(urgent: Any) -> None:
    class Priority(Enum):
        HIGH = 2

    fields = {"priority": Priority.HIGH, "labels": [Priority.HIGH]}
    assert columns.clean_columns(urgent, fields, fields, "data") == {"priority": 2, "labels": [2]}


def test_what_a_key_refers_to_must_exist(urgent: Any, db: None) -> None:
    topic = Group.objects.create(name="soup")
    for name in ("topic", "topic_id"):
        fields = {name: topic.pk}
        assert columns.clean_columns(urgent, fields, fields, "data") == {"topic_id": topic.pk}
        with pytest.raises(Invalid, match=name):
            columns.clean_columns(urgent, {name: topic.pk + 1}, [name], "data")


# Fields


def test_the_inputs_take_the_types_of_declared_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    @strawberry.enum
    class Priority(Enum):
        NORMAL = "normal"
        HIGH = "high"

    @strawberry.type
    class Tagged(types.Message):
        tags: list[str]
        priority: Priority
        rank: int | None
        writable_on_create = ("tags", "priority", "rank")
        writable_on_edit = ("rank",)

    monkeypatch.setattr(
        writable, "own_columns", lambda model: dict.fromkeys(Tagged.__annotations__)
    )
    with chat(SERIALIZERS={"Message": Tagged}):
        text = get_schema().as_str()

    def fields(name: str) -> list[str]:
        return [
            line.strip() for line in text.split(f"input {name} {{")[1].split("}")[0].split("\n")
        ]

    assert {"tags: [String!]", "priority: Priority", "rank: Int"} <= set(
        fields("MessageFieldsInput")
    )
    assert {"rank: Int", "content: String"} <= set(fields("MessageEditInput"))
    assert "rank" not in "".join(fields("MediaInput"))


@pytest.mark.parametrize("declaration", [columns.ON_CREATE, columns.ON_EDIT])
@pytest.mark.parametrize(
    "field",
    ["id", "sender", "room", "content", "is_deleted", "is_edited", "is_forwarded", "created_at"],
)
def test_nobody_can_declare_a_column_of_the_package_as_writable(
    declaration: str, field: str
) -> None:
    with (
        chat(SERIALIZERS={"Message": declaring(types.Message, declaration, field)}),
        pytest.raises(ImproperlyConfigured, match=rf"Message.*{declaration} names '{field}'"),
    ):
        get_schema()


@pytest.mark.parametrize("name", ["Attachment", "GroupChat", "Channel", "OneToOneChat"])
def test_a_declared_field_that_the_type_has_not_is_named(name: str) -> None:
    wrong = declaring(getattr(types, name), columns.ON_CREATE, "colour")
    with chat(SERIALIZERS={name: wrong}):
        (problem,) = check_declarations()

    assert f"SERIALIZERS'][{name!r}].writable_on_create names 'colour'" in problem.msg
    assert "no field of the type" in problem.msg


def test_an_object_cannot_be_writable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writable, "own_columns", lambda model: {"sender": None})
    wrong = declaring(types.Message, columns.ON_CREATE, "sender")
    with (
        chat(SERIALIZERS={"Message": wrong}),
        pytest.raises(ImproperlyConfigured, match="'sender', which is an object"),
    ):
        get_schema()


def test_a_writable_field_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    @strawberry.type
    class Renamed(types.Message):
        priority: str = strawberry.field(name="urgency")
        writable_on_create = ("priority",)

    monkeypatch.setattr(writable, "own_columns", lambda model: {"priority": None})
    with (
        chat(SERIALIZERS={"Message": Renamed}),
        pytest.raises(ImproperlyConfigured, match="which the schema calls 'urgency'"),
    ):
        get_schema()


def test_rooms_of_two_types_share_a_field_only_with_one_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @strawberry.type
    class RankedGroup(types.GroupChat):
        rank: int
        writable_on_create = ("rank",)

    @strawberry.type
    class News(types.Channel):
        rank: str
        writable_on_create = ("rank",)

    monkeypatch.setattr(writable, "own_columns", lambda model: {"rank": None})
    with (
        chat(SERIALIZERS={"GroupChat": RankedGroup, "Channel": News}),
        pytest.raises(ImproperlyConfigured, match="'rank', which rooms of another type"),
    ):
        get_schema()


def test_a_type_may_rename_and_drop_what_frames_show() -> None:
    @strawberry.type
    class Renamed:
        key: str = strawberry.field(resolver=lambda root: str(root.pk))
        text: str = strawberry.field(resolver=lambda root: root.content)

    with chat(SERIALIZERS={"QuotedMessage": Renamed}):
        fields = get_schema().as_str().split("type Renamed {")[1].split("}")[0].split()
    assert fields == ["key:", "String!", "text:", "String!"]


# Events


@strawberry.type
class PollOpened(Event):
    """An event as it has to be."""

    question: str


class Bare(Event):
    """No type of the schema."""


@strawberry.type
class NoEvent:
    """No event."""

    question: str


@strawberry.type(name="Other")
class Named(Event):
    """An event with two names."""

    question: str


@strawberry.type
class MessageSent(Event):
    """An event with a name that is taken."""

    question: str


class Undecorated(PollOpened):
    """A type of the schema by inheritance only."""


@pytest.mark.parametrize(
    ("events", "named"),
    [
        ((Bare,), "@strawberry.type"),
        ((NoEvent,), "gql_chat.events.Event"),
        ((Named,), "name of the class"),
        ((Undecorated,), "name of the class"),
        ((MessageSent,), "choose another"),
        ((PollOpened, PollOpened), "choose another"),
    ],
)
def test_an_event_that_cannot_be_one_is_named(events: Any, named: str) -> None:
    handler = type("Handler", (operations.EventHandler,), {"events": events})
    with chat(EVENT_HANDLER_CLASS=handler):
        (problem,) = check_declarations()
        assert events[0].__name__ in problem.msg
        assert named in problem.msg
        with pytest.raises(ImproperlyConfigured, match="EVENT_HANDLER_CLASS"):
            get_schema()


def test_the_defaults_and_right_declarations_pass_the_check() -> None:
    assert check_declarations() == []
    handler = type("Handler", (operations.EventHandler,), {"events": (PollOpened,)})
    with chat(EVENT_HANDLER_CLASS=handler):
        assert check_declarations() == []


def test_wrong_settings_are_left_to_their_own_check() -> None:
    with chat(SERIALIZERS={"User": "nowhere.Nothing"}):
        assert check_declarations() == []


# Queries


@strawberry.type
class PollQueries:
    """A query of a project's own."""

    @strawberry.field
    def poll_title(self, info: Info, room_id: UUID) -> str:
        """Return what the polls of a room are called."""
        return info.context.handler.title(room_id)  # type: ignore[attr-defined, no-any-return]


class PollHandler(operations.EventHandler):
    """Has a query of its own."""

    queries = (PollQueries,)

    def title(self, room_id: UUID) -> str:
        """Return a title, for members."""
        return f"Polls of {self.enter(room_id).room.name}"


def test_a_query_of_the_projects_own_finds_the_handler(
    group: GroupChat, alice: Any, carol: Any
) -> None:
    with chat(EVENT_HANDLER_CLASS=PollHandler):
        document = Document(
            get_schema()._schema, "query ($room: UUID!) { poll_title(room_id: $room) }"
        )
        variables = {"room": str(group.pk)}
        answer = document.execute(variables, context=Context(alice.pk))
        assert answer == {"poll_title": "Polls of group"}
        with pytest.raises(PermissionDenied):
            document.execute(variables, context=Context(carol.pk))


# The system


def test_server_code_may_set_no_column_of_the_package(group: GroupChat, alice: Any) -> None:
    handler = operations.EventHandler(alice.pk)
    for as_system in (False, True):
        handler = operations.EventHandler(alice.pk)
        handler.as_system = as_system
        with pytest.raises(Invalid, match="extra_fields"):
            handler.send_message(group.pk, "x", fields={"is_deleted": True})
    assert not Message.objects.exists()
