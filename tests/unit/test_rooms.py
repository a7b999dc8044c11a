"""Registering a room type: what cannot be one is refused where it is declared."""

from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from strawberry.types import get_object_definition

from gql_chat.models import AbstractRoom, Room
from gql_chat.models.rules import RoomRules, register, registrations, room_types
from gql_chat.schema import room_types as schema_types
from gql_chat.schema import types


class WorkshopRules(RoomRules):
    """Rules that could be those of a new type."""

    name = "Workshop"
    creatable = ("seq",)


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project whose models are being loaded, with no types of its own yet."""
    monkeypatch.setattr(apps, "ready", False)
    monkeypatch.setattr(apps, "models_ready", False)
    monkeypatch.setattr("gql_chat.models.rules._registered", {})


def declare(**attributes: Any) -> type[AbstractRoom]:
    """A proxy with rules, known to nobody: Django keeps no register of it."""
    label = attributes.pop("label", "gql_chat.Workshop")
    rules = type("Rules", (WorkshopRules,), attributes)()
    proxy: Any = type("Workshop", (), {"rules": rules, "_meta": _Meta(label)})
    return proxy


class _Meta:
    def __init__(self, label: str) -> None:
        self.label = label


@pytest.mark.usefixtures("loading")
@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"name": ""}, "name ''; use a word"),
        ({"name": "Support queue"}, "use a word"),
        ({"name": "1st"}, "use a word"),
        ({"name": "GroupChat"}, r"MODELS\['GroupChat'\]"),
        ({"paired": True}, "only a OneToOneChat"),
        ({"members": "guests"}, "members 'guests'; use one of participants, subscribers"),
        ({"leaders": "bosses"}, "leaders 'bosses'; use one of admins, moderators"),
    ],
)
def test_rules_that_the_protocol_has_no_words_for_are_refused(
    attributes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"gql_chat\.Workshop say .*{said}"):
        register(declare(**attributes))

    assert registrations() == []


@pytest.mark.usefixtures("loading")
def test_a_name_is_taken_once() -> None:
    first = declare()
    register(first)
    register(declare())  # the same model again, as when its module is loaded twice

    with pytest.raises(ImproperlyConfigured, match=r"which gql_chat\.Workshop has"):
        register(declare(label="shop.Workshop"))
    assert [model.rules.name for model in room_types()][3:] == ["Workshop"]


def test_a_type_that_is_registered_after_the_start_is_refused() -> None:
    with pytest.raises(RuntimeError, match="too late"):
        register(declare())


@pytest.mark.usefixtures("loading")
def test_a_type_may_bring_its_own_types_of_the_schema() -> None:
    register(detail=list, summary="builtins.dict")(declare())

    assert schema_types.load_room_types()[-2:] == [list, dict]


@pytest.mark.usefixtures("loading")
def test_a_type_of_the_schema_that_does_not_import_is_named() -> None:
    register(detail="nowhere.Workshop", summary=dict)(declare())

    with pytest.raises(ImproperlyConfigured, match=r"'nowhere\.Workshop'"):
        schema_types.load_room_types()


@pytest.mark.usefixtures("loading")
def test_a_column_that_needs_a_type_of_the_schema_is_named() -> None:
    proxy: Any = declare()
    proxy._meta.fields = Room._meta.fields
    register(proxy)

    with pytest.raises(ImproperlyConfigured, match=r"gql_chat\.Workshop\.seq.*`detail`"):
        schema_types.load_room_types()


@pytest.mark.usefixtures("loading")
def test_without_types_of_its_own_a_room_shows_what_its_rules_name() -> None:
    proxy: Any = declare(
        leaders="admins",
        cap="max_participants",
        creatable=("is_public",),
        updatable=("name", "property", "updated_at"),
    )
    proxy._meta.fields = Room._meta.fields
    register(proxy)

    detail, summary = (get_object_definition(each) for each in schema_types.load_room_types()[-2:])

    columns = {"name", "description", "creator", "max_participants", "is_public", "updated_at"}
    for definition, name, base in (
        (detail, "Workshop", types.Room),
        (summary, "WorkshopSummary", types.RoomSummary),
    ):
        assert definition is not None
        assert definition.name == name
        inherited = get_object_definition(base, strict=True)
        assert definition.interfaces == [inherited]
        own = {field.python_name for field in definition.fields}
        own -= {field.python_name for field in inherited.fields} - columns
        shown = {"participants", "admins", "history"}
        assert own == columns | (shown if base is types.Room else set())
