"""System checks of the settings and documents that only the socket uses."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from gql_chat.checks import check_class
from gql_chat.checks import check_settings as check_chat_settings
from gql_chat.conf import SETTING, chat_settings

from .declarations import Choice, Operation
from .metrics.choice import MISSING, is_installed


@register("event_bridge")
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report a consumer or an event mapper that cannot be one."""
    if not apps.is_installed("guardian"):
        return []  # which gql_chat reports; without it, nothing can be imported
    try:
        value = chat_settings.EVENT_MAPPER
    except ImproperlyConfigured:
        return []  # which gql_chat reports
    return [*check_class("CHAT_CONSUMER_CLASS"), *_check_mapper(value)]


@register("event_bridge")
def check_documents(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report types that lost a field which the protocol needs, and events that cannot run."""
    if not apps.is_installed("guardian"):
        return []  # which gql_chat reports; without it, the schema cannot be imported
    if check_chat_settings() or check_settings():
        return []  # They say what is wrong; out of that no schema can be built.
    # Django's app loading imports this module, and importing the schema takes longer than all of
    # `django.setup()`. So that is done when the checks run.
    from .needs import find_problems

    return find_problems()


@register("event_bridge")
def check_metrics(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report metrics that are asked for without the package that they need."""
    if check_chat_settings():
        return []
    if not chat_settings.METRICS or is_installed():
        return []
    hint = "Install the extra, or leave METRICS at False."
    return [Error(MISSING, hint=hint, id="event_bridge.E021")]


def _check_mapper(value: Any) -> list[CheckMessage]:
    where = f"{SETTING}['EVENT_MAPPER']"
    hint = "Name a function that returns a dict from event names to operations."
    try:
        mapper = chat_settings.load("EVENT_MAPPER")
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=hint, id="event_bridge.E001")]
    if not callable(mapper):
        return [
            Error(f"{where} is {value!r}, which is no function.", hint=hint, id="event_bridge.E001")
        ]
    try:
        events = mapper()
    except Exception as error:
        return [
            Error(
                f"{where} is {value!r}, which raises {error!r}.",
                hint="Call it in a shell to see where.",
                id="event_bridge.E001",
            )
        ]
    if not isinstance(events, dict) or not all(
        isinstance(name, str) and isinstance(route, Operation | Choice)
        for name, route in events.items()
    ):
        return [
            Error(
                f"{where} is {value!r}, which returns something else than operations by name.",
                hint=f"{hint[:-1]}: event_bridge.operations.Operation or Choice.",
                id="event_bridge.E001",
            )
        ]
    return []
