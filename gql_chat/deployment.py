"""System checks of a deployment: `manage.py check --deploy` names what is unsafe in production."""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.utils.module_loading import import_string

from . import models
from .conf import SETTING, chat_settings
from .limits import RATES
from .origins import ANY
from .streams import LAYER_SECONDS

_SHOWN = 5
"""How many missing migrations are named."""


@register("gql_chat", deploy=True)
def check_doors(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report settings that let in pages of other sites, or floods."""
    problems: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        problems.append(
            Warning(
                f"ALLOWED_HOSTS is {settings.ALLOWED_HOSTS!r}.",
                hint="Name your hosts. With '*' Channels' AllowedHostsOriginValidator lets the "
                "pages of every site in.",
                id="gql_chat.W005",
            )
        )
    try:
        origins = chat_settings.ALLOWED_ORIGINS
    except ImproperlyConfigured:
        return problems  # another check says why
    if ANY in origins:
        problems.append(
            Warning(
                f"{SETTING}['ALLOWED_ORIGINS'] is {origins!r}: a page of any site may open a "
                "socket with the login of whoever visits it.",
                hint="Name the origins of your apps. Clients without cookies need no entry.",
                id="gql_chat.W006",
            )
        )
    problems += [
        Warning(
            f"{SETTING}[{name!r}] is None: a client may send as much as it can.",
            hint="Name a rate, such as {'events': 100, 'seconds': 10}.",
            id="gql_chat.W007",
        )
        for name in RATES
        if chat_settings.read(name) is None
    ]
    return problems


@register("gql_chat", deploy=True)
def check_layer(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report a channel layer that ends at its process, or that does not answer."""
    try:
        path = settings.CHANNEL_LAYERS["default"]["BACKEND"]
        backend = import_string(path)
    except (AttributeError, KeyError, TypeError, ImportError):
        return []  # another check says so
    if isinstance(backend, type) and issubclass(backend, InMemoryChannelLayer):
        if settings.DEBUG:
            return []
        return [
            Warning(
                f"CHANNEL_LAYERS['default'] names {path!r}, which ends at its process.",
                hint="Name 'channels_redis.pubsub.RedisPubSubChannelLayer'. If one process serves "
                "all sockets, silence this check.",
                id="gql_chat.W003",
            )
        ]
    try:
        async_to_sync(_ask_layer)()
    except Exception as error:
        return [
            Warning(
                f"CHANNEL_LAYERS['default'] names {path!r}, which does not answer: {error!r}.",
                hint="See that its server runs and that CONFIG names it. Without it events reach "
                "other processes late.",
                id="gql_chat.W004",
            )
        ]
    return []


async def _ask_layer() -> None:
    """Send to a group that nobody is in, as chat does.

    Raises:
        Exception: the layer cannot be made, or does not take it in time.
    """
    layer: Any = get_channel_layer()
    async with asyncio.timeout(LAYER_SECONDS):
        await layer.group_send("chat.check", {"type": "chat.check"})


@register("gql_chat", deploy=True)
def check_migrations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report migrations of what chat needs that have not run."""
    try:
        missing = _find_unapplied()
    except ImproperlyConfigured:
        return []  # another check says why
    except Exception as error:
        return [
            Warning(
                f"The database does not say which migrations have run: {error!r}.",
                hint="See that it runs and that DATABASES names it.",
                id="gql_chat.W009",
            )
        ]
    if not missing:
        return []
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return [
        Warning(
            f"Migrations have not run: {', '.join(missing[:_SHOWN])}{more}.",
            hint="Run `python manage.py migrate` before the new processes start.",
            id="gql_chat.W008",
        )
    ]


def _find_unapplied() -> list[str]:
    """Return the migrations that the chat's tables, and those they refer to, still need."""
    # Here, so that a process that serves does not import it.
    from django.db.migrations.executor import MigrationExecutor

    labels = {"gql_chat", "guardian"} | {
        models.get_model(name)._meta.app_label for name in chat_settings.MODELS
    }
    alias = router.db_for_write(models.StreamEvent)
    # Private API of Django, as its own `migrate --check` uses it. It is the only way to ask; the
    # tests of this check fail if it changes.
    executor = MigrationExecutor(connections[alias])
    graph = executor.loader.graph
    targets = [node for node in graph.leaf_nodes() if node[0] in labels]
    return [
        f"{migration.app_label}.{migration.name}"
        for migration, _ in executor.migration_plan(targets)
    ]
