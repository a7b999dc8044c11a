"""Readiness: the database answers or does not, migrations are missing or not."""

from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from gql_chat import readiness, streams
from gql_chat.readiness import NotMigrated
from gql_chat.streams import layer_outages


@pytest.mark.django_db
def test_a_database_that_is_there_is_ready() -> None:
    readiness.ask_database()
    readiness.check_migrations()


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["gql_chat", "guardian"])
def test_migrations_that_are_missing_are_named(app: str) -> None:
    recorder = MigrationRecorder(connection)
    last = recorder.migration_qs.filter(app=app).order_by("-name").first()
    assert last is not None
    recorder.record_unapplied(app, last.name)

    with pytest.raises(NotMigrated, match=f"Run migrate.*{app}.{last.name}"):
        readiness.check_migrations()


@pytest.mark.django_db
def test_migrations_of_other_apps_are_none_of_chats() -> None:
    MigrationRecorder(connection).record_unapplied("admin", "0003_logentry_add_action_flag_choices")

    assert readiness.find_missing_migrations() == []


class Away(InMemoryChannelLayer):
    """A layer that takes nothing."""

    async def group_send(self, group: str, message: Any) -> None:
        raise ConnectionError("refused")


def test_a_layer_that_takes_nothing_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "reaches_other_processes", lambda: True)
    failures = layer_outages.failures
    monkeypatch.setattr(readiness, "get_channel_layer", Away)

    with pytest.raises(ConnectionError):
        readiness.ask_layer()
    assert layer_outages.failures == failures + 1

    monkeypatch.setattr(readiness, "get_channel_layer", InMemoryChannelLayer)
    readiness.ask_layer()
    assert layer_outages._failing_since is None


def test_a_process_that_is_the_only_one_needs_no_layer() -> None:
    with override_settings(CHANNEL_LAYERS={}):
        readiness.ask_layer()
