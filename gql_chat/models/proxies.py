"""Proxies of the room model in the migrations of a project."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from ..conf import is_swapped, model_label


class EnterProxies(Operation):
    """Adds the room types of the app that swaps the message model to the migrations' state.

    A proxy has no table, so there is nothing to migrate. `makemigrations` would write it into the
    app's first migration all the same, and make that one depend on the newest migration of
    `gql_chat`, the base model's app. That would be a circle: the migration of `gql_chat` points at
    the message model and depends on its app. Proxies in other apps are left to `makemigrations`.
    """

    elidable = False

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Add the proxies that the app declares now: a proxy has no history of its own."""
        for proxy in find_proxies():
            state.add_model(ModelState.from_model(proxy))

    def database_forwards(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: a proxy has no table."""

    def database_backwards(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: a proxy has no table."""

    def describe(self) -> str:
        """Return the text that `sqlmigrate` and `migrate --plan` show."""
        return "Enter the room types that stand beside a message model"


def find_proxies() -> list[Any]:
    """Return the proxies of the package's room model in the app of a swapped message model."""
    label = model_label("Message").split(".")[0]
    if not is_swapped("Message") or is_swapped("Room") or label not in apps.app_configs:
        return []
    room = apps.get_model("gql_chat", "Room")
    return [
        model
        for model in apps.get_app_config(label).get_models()
        if model._meta.proxy and model._meta.concrete_model is room
    ]
