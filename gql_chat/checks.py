"""System checks: what is configured wrongly is named at start, with its remedy."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from .conf import chat_settings

_CLASSES = (
    "EVENT_HANDLER_CLASS",
    "PERMISSION_HANDLER_CLASS",
    "EXCEPTION_HANDLER_CLASS",
    "CHAT_CONSUMER_CLASS",
    "EVENT_MAPPER",
    "GRAPHQL_ACCESS",
)


@register("gql_chat")
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report settings that are unknown, do not import, or name no installed model."""
    from .models import get_model

    problems: list[CheckMessage] = []
    try:
        models = chat_settings.MODELS
        serializers = chat_settings.SERIALIZERS
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="Correct REALTIME_CHAT_MESSAGING.", id="gql_chat.E001")]
    for name in models:
        try:
            get_model(name)
        except ImproperlyConfigured as error:
            problems.append(Error(str(error), id="gql_chat.E002"))
    for name in _CLASSES:
        try:
            chat_settings.load(name)
        except ImproperlyConfigured as error:
            problems.append(Error(str(error), id="gql_chat.E003"))
    for name in serializers:
        try:
            chat_settings.load_serializer(name)
        except ImproperlyConfigured as error:
            problems.append(Error(str(error), id="gql_chat.E003"))
    return problems


@register("gql_chat")
def check_declarations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report fields and events of the project's that cannot be used as declared."""
    if check_settings() or not apps.is_installed("guardian"):
        return []  # other checks say why
    from .schema.events import own_events
    from .schema.writable import build_inputs

    problems: list[CheckMessage] = []
    for build in (build_inputs, own_events):
        try:
            build()
        except ImproperlyConfigured as error:
            problems.append(Error(str(error), hint="Correct the class.", id="gql_chat.E010"))
    return problems
