"""The registry of models: the class for each name in `REALTIME_CHAT_MESSAGING["MODELS"]`."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from ..conf import (
    ROOM_TYPES,
    SETTING,
    chat_settings,
    model_label,
)


@cache
def get_model(name: str) -> Any:
    """Return the model class that the project uses for `name`, a key of `MODELS`.

    Raises:
        ImproperlyConfigured: the setting names no installed model, or names another table
            than when the process started: foreign keys are fixed when models load.
    """
    label = chat_settings.MODELS[name]
    where = f"{SETTING}['MODELS'][{name!r}] is {label!r}"
    try:
        model = apps.get_model(label, require_ready=False)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"{where}, which is not an installed model. "
            "Use 'app_label.ModelName' and add its app to INSTALLED_APPS."
        ) from error
    if name not in ROOM_TYPES and label.lower() != model_label(name).lower():
        raise ImproperlyConfigured(
            f"{where}, but was {model_label(name)!r} when the process started. The model of a "
            "table cannot change while it runs: start a process with the other setting."
        )
    return model


def _forget_on_change(*, setting: str, **_: Any) -> None:
    if setting == SETTING:
        get_model.cache_clear()


setting_changed.connect(_forget_on_change, dispatch_uid="gql_chat.models")
