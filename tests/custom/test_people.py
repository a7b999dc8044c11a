"""Users with a UUID, an email address for a username, and no other name."""

import pytest
from django.contrib.auth import get_user_model

from gql_chat.errors import PermissionDenied
from gql_chat.models import OneToOneChat
from gql_chat.schema import Context, get_schema
from tests.conftest import Connect, Users
from tests.wire.rooms import one_to_one, people


def test_the_user_model_has_little_in_common_with_djangos() -> None:
    model = get_user_model()
    names = {field.name for field in model._meta.get_fields()}

    assert model.USERNAME_FIELD == "email"
    assert model._meta.pk.get_internal_type() == "UUIDField"
    assert not names & {"username", "first_name", "last_name", "is_staff"}


async def test_what_a_user_does_not_have_is_empty_in_frames(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")

    room = await one_to_one(alice, bob)

    assert room["participants"][1] == {
        "id": str(bob.user.pk),
        "username": bob.user.email,
        "email": bob.user.email,
        "first_name": "",
        "last_name": "",
    }


def test_nobody_is_staff_where_the_model_knows_none(db: None, users: Users) -> None:
    result = get_schema().execute_sync(
        "{ room_records { edges { node { id } } } }", context_value=Context(users("alice").pk)
    )

    assert result.errors is not None
    assert isinstance(result.errors[0].original_error, PermissionDenied)


@pytest.mark.django_db
def test_a_chat_is_found_whoever_asks(users: Users) -> None:
    alice, bob = users.make("alice", "bob")

    chat = OneToOneChat.objects.start(alice, bob)

    assert OneToOneChat.objects.start(str(bob.pk), alice) == chat
