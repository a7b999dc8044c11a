"""What is read of users: what frames show of them, and no more."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import strawberry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from gql_chat.models import GroupChat, Room
from gql_chat.models.accounts import as_shown, hidden_columns
from gql_chat.schema import derived, get_schema, types
from gql_chat.schema.scalars import UserID
from tests.conftest import Users
from tests.unit.making import perform
from tests.unit.scenes import CASES, Scene, run

NAMED = ("id", "username", "first_name", "last_name")
BARE = ("id", "username")


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


@pytest.fixture(scope="module")
def scene(committed_database: None) -> Iterator[Scene]:
    """Rooms with some of everything in them, of which nothing is left."""
    users = Users(lambda work, *args, **kwargs: work(*args, **kwargs))
    with transaction.atomic():
        ContentType.objects.get_for_model(Room)
        yield Scene(users, 3)
        transaction.set_rollback(True)


def columns_read(scene: Scene, case: str) -> set[str]:
    """The columns of users that an event asks for by name."""
    with transaction.atomic():
        with CaptureQueriesContext(connection) as captured:
            run(scene, case)
        transaction.set_rollback(True)
    sql = " ".join(query["sql"] for query in captured.captured_queries)
    return set(re.findall(r'"(email|first_name|last_name)"', sql))


@pytest.mark.parametrize("case", CASES)
def test_no_event_reads_what_frames_do_not_show(case: str, scene: Scene) -> None:
    with chat(USER_FIELDS=BARE):
        assert columns_read(scene, case) == set()
    with chat(USER_FIELDS=NAMED):
        assert columns_read(scene, case) <= {"first_name", "last_name"}


def test_a_change_of_the_setting_counts_for_statements_that_were_made_before(scene: Scene) -> None:
    everything = {"email", "first_name", "last_name"}
    assert columns_read(scene, "room.info") == everything
    with chat(USER_FIELDS=BARE):
        assert columns_read(scene, "room.info") == set()
    assert columns_read(scene, "room.info") == everything


def test_a_creator_who_has_left_is_read_like_others(scene: Scene) -> None:
    with transaction.atomic():
        scene.group.participants.remove(scene.owner)
        room = {"room_id": str(scene.group.pk)}
        with chat(USER_FIELDS=BARE), CaptureQueriesContext(connection) as captured:
            shown, _ = perform(scene.reader, "room.info", room)
        transaction.set_rollback(True)

    assert shown["creator"] == {"id": scene.owner.pk, "username": scene.owner.username}
    assert '"email"' not in " ".join(query["sql"] for query in captured.captured_queries)


def test_a_column_that_is_not_read_is_there_for_who_asks(alice: Any) -> None:
    with chat(USER_FIELDS=BARE):
        (user,) = as_shown(type(alice)._default_manager.filter(pk=alice.pk))
        assert user.get_deferred_fields() == {"email", "first_name", "last_name"}
        assert user.email == alice.email


@strawberry.type
class Named(types.User):
    """A user with a name that is made of others."""

    name: str = derived(lambda user: user.get_full_name())


@strawberry.type
class Declared(Named):
    """The same, which says what it reads."""

    reads = ("first_name", "last_name")


@strawberry.type
class Stranger:
    """A type of a project's own, with an address of its own."""

    id: UserID = derived(lambda user: user.pk)
    username: str = derived(lambda user: user.get_username())
    email: str = derived(lambda user: user.email)

    reads = ()


@pytest.mark.parametrize(
    ("shown", "fields", "hidden"),
    [
        (types.User, types.User.__dataclass_fields__, ()),
        (types.User, BARE, ("email", "first_name", "last_name")),
        (types.User, [*BARE, "last_name"], ("email", "first_name")),
        (Named, BARE, ()),
        (Declared, BARE, ("email",)),
        (Declared, [*BARE, "email"], ()),
        (Stranger, BARE, ("first_name", "last_name")),
    ],
)
def test_a_type_of_a_projects_own_says_what_it_reads(
    shown: Any, fields: Any, hidden: tuple[str, ...]
) -> None:
    with chat(USER_FIELDS=list(fields), SERIALIZERS={"User": shown}):
        assert hidden_columns() == hidden


def test_the_name_by_which_users_log_in_is_always_read(alice: Any) -> None:
    model: Any = type(alice)
    with pytest.MonkeyPatch.context() as patch, chat(USER_FIELDS=BARE):
        patch.setattr(model, "USERNAME_FIELD", "email")
        assert hidden_columns() == ("first_name", "last_name")


def test_the_schema_has_the_fields_that_are_shown() -> None:
    def fields(name: str = "User") -> list[str]:
        found: Any = get_schema()._schema.type_map[name]
        return list(found.fields)

    assert fields() == ["id", "username", "email", "first_name", "last_name"]
    with chat(USER_FIELDS=["last_name", *BARE]):
        assert fields() == ["id", "username", "last_name"]
    with chat(USER_FIELDS=BARE, SERIALIZERS={"User": Declared}):
        assert fields("Declared") == ["id", "username", "name"]


def test_a_wrong_setting_is_named_by_what_reads_it(group: GroupChat, alice: Any) -> None:
    with chat(USER_FIELDS=["id"]), pytest.raises(ImproperlyConfigured, match="USER_FIELDS"):
        perform(alice, "room.info", {"room_id": str(group.pk)})
