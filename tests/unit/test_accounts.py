"""Accounts: who stands where an erased user was, and that whom one brings in stays active."""

import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection, models, transaction

from gql_chat import erase_user, streams
from gql_chat.errors import Again
from gql_chat.models import GroupChat, Message, Room, UserStream
from gql_chat.models import accounts as module
from gql_chat.models.accounts import accounts, nobody, nobody_key
from gql_chat.operations import EventHandler
from gql_chat.operations.accounts import AccountOperations
from gql_chat.schema.rendering import show_nobody
from tests.conftest import Users
from tests.unit.making import race


def test_nobody_has_no_name_and_is_no_row(db: None) -> None:
    stand_in = nobody()

    assert (stand_in.pk, stand_in.get_username(), stand_in.is_active) == (0, "", False)
    assert not accounts().filter(pk=nobody_key()).exists()
    assert show_nobody() == {
        "id": 0,
        "username": "",
        "email": "",
        "first_name": "",
        "last_name": "",
    }


@pytest.mark.parametrize(
    ("model", "key"), [(Room, uuid.UUID(int=0)), (Session, ""), (UserStream, 0)]
)
def test_the_key_of_nobody_is_of_the_kind_that_users_have(
    monkeypatch: pytest.MonkeyPatch, model: Any, key: Any
) -> None:
    monkeypatch.setattr(module, "get_user_model", lambda: model)

    assert nobody_key.__wrapped__() == key


def test_a_message_without_a_sender_can_be_changed_by_the_system(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    message = Message.objects.create(room=group, sender=bob, content="kept")
    erase_user(bob)

    handler = EventHandler(alice.pk)
    handler.as_system = True
    handler.edit_message(message.pk, "changed")

    message.refresh_from_db()
    assert (message.sender_id, message.content) == (None, "changed")


needs_rows_locked = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has one writer"
)


@needs_rows_locked
@pytest.mark.django_db
def test_whom_somebody_deactivates_meanwhile_is_brought_in_by_nobody(users: Users) -> None:
    alice, bob = users.make("alice", "bob")
    accounts().filter(pk=bob.pk).update(is_active=False)

    with pytest.raises(Again):
        AccountOperations.hold_accounts([alice, bob])

    # Who was deactivated before is the business of others.
    bob.refresh_from_db()
    AccountOperations.hold_accounts([alice, bob])
    AccountOperations.hold_accounts([])


@needs_rows_locked
def test_nobody_is_barred_while_an_operation_brings_them_in(
    users: Users, committed_database: None
) -> None:
    alice, bob = users.make("alice", "bob")

    def bar(_: int) -> None:
        with transaction.atomic():
            accounts().select_for_update(nowait=True).get(pk=bob.pk)

    with streams.transaction():
        AccountOperations.hold_accounts([alice, bob])
        (refused,) = race(1, bar)
    assert isinstance(refused, OperationalError)
    assert race(1, bar) == [None]


def test_an_account_is_found_whatever_a_manager_hides(
    db: None, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = users("alice")
    model = get_user_model()
    hides = models.Manager.from_queryset(models.QuerySet)()
    hides.model = model
    monkeypatch.setattr(hides, "get_queryset", lambda: models.QuerySet(model).none())
    monkeypatch.setattr(model._meta, "default_manager", hides)

    assert accounts().get(pk=alice.pk) == alice
