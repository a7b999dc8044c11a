"""Latecomers: rows that refer to a row which is being deleted, and that Django has not collected.

Django collects what goes with a row, and deletes it later. What others store in between would
refer to nothing, and the database would refuse the whole deletion at its end. Once the row itself
is deleted and not yet committed, nobody can refer to it any more: they wait, and find it gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import CASCADE, SET_NULL

from ..conf import chat_settings
from .deletions import Deletion, deletion_of
from .registry import get_model

_OWN_APPS = {"gql_chat", "guardian"}
"""The apps in whose tables the package writes rows that refer to accounts."""


def delete_late(model: Any, key: Any, using: str, deletion: Deletion) -> None:
    """Let what refers to a deleted row go the way that its `on_delete` says, if some came late.

    Args:
        model: the row's model: that of users, or a type of rooms. What the package itself stores of
            a room is locked before it is collected, so of rooms only a project's rows are sought.
        key: its primary key.
        using: the alias of the database.
        deletion: the deletion that it belongs to.
    """
    has_own = issubclass(model, get_user_model())
    for relation in _relations(model):
        related, name = relation.related_model, relation.field.name
        if _is_own(related) and not has_own:
            continue
        left = related._base_manager.using(using).filter(**{name: key})
        if relation.on_delete is SET_NULL:
            left.update(**{name: None})
        elif relation.on_delete is CASCADE:
            # They belong to this deletion: nobody tells the user, who is gone.
            rest = deletion_of(left, using)
            rest.users, rest.locked, rest.held = deletion.users, deletion.locked, deletion.held
            left.delete()


def _relations(model: Any) -> Iterator[Any]:
    for relation in model._meta.concrete_model._meta.get_fields(include_hidden=True):
        is_reverse = relation.auto_created and (relation.one_to_many or relation.one_to_one)
        # A child's row is a part of the row itself.
        if is_reverse and not relation.field.remote_field.parent_link:
            yield relation


def _is_own(model: Any) -> bool:
    ours = {get_model(name) for name in chat_settings.MODELS}
    return model in ours or model._meta.app_label in _OWN_APPS
