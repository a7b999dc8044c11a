"""Relations: the tables of the chat that refer to accounts, those of a project's models too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models, router

from ..conf import chat_settings
from ..models import Mention, get_model

_APP = "gql_chat"


@dataclass(frozen=True, slots=True)
class Relation:
    """A foreign key of the chat to the accounts.

    Attributes:
        model: the model that has it.
        field: its name.
        room: the lookup that leads to the room of a row; empty if a row stands in none.
        is_shown: whether members of the room see the row: it hangs on a message.
        is_cleared: whether a deleted account leaves the row, with NULL in this column.
    """

    model: Any
    field: str
    room: str
    is_shown: bool
    is_cleared: bool

    def rows(self, **conditions: Any) -> models.QuerySet[Any]:
        """Return rows of the model as the database has them, whatever a manager hides."""
        rows: models.QuerySet[Any] = self.model._base_manager
        return rows.using(router.db_for_write(self.model)).filter(**conditions)

    def of(self, user_id: Any) -> models.QuerySet[Any]:
        """Return the rows that refer to a user."""
        return self.rows(**{f"{self.field}_id": user_id})


@cache
def find_relations() -> tuple[Relation, ...]:
    """Return every foreign key of the chat's tables to the accounts."""
    return tuple(_find())


def _find() -> Iterator[Relation]:
    ours = {get_model(name)._meta.concrete_model for name in chat_settings.MODELS}
    for relation in get_user_model()._meta.get_fields(include_hidden=True):
        if not (relation.auto_created and (relation.one_to_many or relation.one_to_one)):
            continue
        model: Any = relation.related_model
        if model._meta.proxy or not (model in ours or model._meta.app_label == _APP):
            continue
        field: Any = relation.field  # type: ignore[union-attr]
        room, message = _find_key(model, "Room"), _find_key(model, "Message")
        yield Relation(
            model,
            field.name,
            room=f"{room}_id" if room else f"{message}__room_id" if message else "",
            is_shown=bool(message)
            and (not room or model is Mention)
            and not getattr(model, "is_private", False),
            is_cleared=field.remote_field.on_delete is models.SET_NULL,
        )


def _find_key(model: Any, name: str) -> str:
    """Return the first foreign key of a model to the model that the chat uses for a name."""
    wanted = get_model(name)._meta.concrete_model
    for field in model._meta.fields:
        target = None if field.remote_field is None else field.remote_field.model
        if target is not None and target._meta.concrete_model is wanted:
            key: str = field.name
            return key
    return ""
