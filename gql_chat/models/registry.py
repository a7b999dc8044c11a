"""Which model stands behind each name of `REALTIME_CHAT_MESSAGING["MODELS"]`."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from ..conf import SETTING, chat_settings


@cache
def get_model(name: str) -> Any:
    """Return the model class that the project uses for `name`, a key of `MODELS`.

    Raises:
        ImproperlyConfigured: the setting names no installed model.
    """
    label = chat_settings.MODELS[name]
    try:
        return apps.get_model(label, require_ready=False)
    except (LookupError, ValueError) as error:
        raise ImproperlyConfigured(
            f"{SETTING}['MODELS'][{name!r}] is {label!r}, which is not an installed model. "
            "Use 'app_label.ModelName' and add its app to INSTALLED_APPS."
        ) from error
