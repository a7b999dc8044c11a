"""A replica that is far behind, and a router that sends reads there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connections
from django.test import override_settings

PRIMARY, REPLICA = "default", "replica"


class Behind:
    """Reads go to the replica, writes to the primary: what a project with replicas sets up."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        """Return where to read."""
        return REPLICA

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """Return where to write."""
        return PRIMARY

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        """Tell that rows of both belong together."""
        return True


@contextmanager
def behind() -> Iterator[None]:
    """Route reads to a replica to which nothing has come yet: all tables are there, and empty."""
    connections.databases[REPLICA] = {
        **connections.databases[PRIMARY],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {},
    }
    try:
        connection = connections[REPLICA]
        with connection.schema_editor() as editor:
            for model in apps.get_models():
                if model._meta.managed and not model._meta.proxy and not model._meta.swapped:
                    editor.create_model(model)
        with override_settings(DATABASE_ROUTERS=[f"{__name__}.Behind"]):
            yield
    finally:
        connections[REPLICA].close()
        del connections[REPLICA], connections.databases[REPLICA]
