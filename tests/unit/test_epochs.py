"""The epoch of the database's history, and `manage.py renew_chat_epoch`."""

import importlib
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.core.management import call_command
from django.db import connection, transaction

from gql_chat import streams
from gql_chat.models import Epoch, GroupChat

pytestmark = pytest.mark.django_db


def test_there_is_an_epoch_from_the_migration_on() -> None:
    epoch = Epoch.objects.get()

    assert Epoch.objects.read() == epoch.value == str(epoch)
    assert 0 < len(epoch.value) <= 64


def test_the_migration_makes_the_row_once() -> None:
    migration = importlib.import_module("gql_chat.migrations.0004_epoch")
    Epoch.objects.all().delete()

    migration.begin(apps, connection.schema_editor())
    value = Epoch.objects.get().value
    migration.begin(apps, connection.schema_editor())

    assert Epoch.objects.get().value == value


def test_an_epoch_that_is_missing_is_made_and_is_another(alice: Any) -> None:
    before = Epoch.objects.read()
    Epoch.objects.all().delete()

    after = streams.positions(alice.pk).epoch

    assert after != before
    assert after == Epoch.objects.read() == streams.positions(alice.pk).epoch


def test_renewing_makes_another_epoch_of_the_same_row() -> None:
    epochs = {Epoch.objects.read(), *(Epoch.objects.renew() for _ in range(3))}

    assert len(epochs) == 4
    assert Epoch.objects.get().value in epochs
    Epoch.objects.all().delete()
    assert Epoch.objects.renew() == Epoch.objects.read()


def test_the_command_renews_and_says_so() -> None:
    before, out = Epoch.objects.read(), StringIO()

    call_command("renew_chat_epoch", stdout=out)

    after = Epoch.objects.read()
    assert after != before
    assert after in out.getvalue()


def test_a_renewal_that_is_rolled_back_is_none() -> None:
    before = Epoch.objects.read()

    with transaction.atomic():
        Epoch.objects.renew()
        transaction.set_rollback(True)

    assert Epoch.objects.read() == before


def test_a_fixture_brings_no_epoch_of_its_own() -> None:
    before = Epoch.objects.read()
    dumped = serializers.serialize("json", Epoch.objects.all())

    for loaded in serializers.deserialize("json", dumped):
        loaded.save()

    assert Epoch.objects.get().value != before


def test_the_epoch_is_read_with_the_positions(
    group: GroupChat, alice: Any, django_assert_num_queries: Any
) -> None:
    epoch = Epoch.objects.read()

    with django_assert_num_queries(1):
        positions = streams.positions(alice.pk)
        assert positions.epoch == epoch
        assert len(list(positions)) == 2
