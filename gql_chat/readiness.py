"""Readiness: whether the database and the channel layer answer, and the tables are up to date.

All of it blocks, so it runs on threads. `event_bridge.health` asks it, with a bound in time.
"""

from __future__ import annotations

import asyncio

from channels.layers import get_channel_layer
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor

from . import streams
from .conf import MODELS
from .models import StreamEvent, get_model

GROUP = "chat.health"
"""A group of the channel layer that nobody is in."""

_APPS = ("gql_chat", "guardian")


class NotMigrated(Exception):
    """The database lacks migrations: run `migrate`."""


def ask_database() -> None:
    """Ask the database for nothing.

    Raises:
        Exception: it does not answer.
    """
    with connections[router.db_for_write(StreamEvent)].cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    """Check the migrations of the apps whose models chat uses.

    Raises:
        NotMigrated: some are missing; the message names them.
        Exception: the database does not answer.
    """
    missing = find_missing_migrations()
    if missing:
        raise NotMigrated(f"Run migrate. Missing: {', '.join(missing)}")


def find_missing_migrations() -> list[str]:
    """Return the migrations that those apps have and the database has not, as `app.name`."""
    apps = {*_APPS, *(get_model(name)._meta.app_label for name in MODELS)}
    executor = MigrationExecutor(connections[router.db_for_write(StreamEvent)])
    graph = executor.loader.graph
    targets = [target for target in graph.leaf_nodes() if target[0] in apps]
    plan = executor.migration_plan(targets)
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def ask_layer() -> None:
    """Send a message over the channel layer, to nobody, on a connection of its own.

    Raises:
        Exception: it does not take it.
    """
    asyncio.run(_ask_layer())


async def _ask_layer() -> None:
    if not streams.reaches_other_processes():
        return  # this process is the only one, so it needs none
    layer = get_channel_layer()
    assert layer is not None
    try:
        async with streams.Deadline(streams.LAYER_SECONDS):
            await layer.group_send(GROUP, {"type": GROUP})
    except Exception as error:
        streams.layer_outages.note_failure(error)
        raise
    streams.layer_outages.note_success()
