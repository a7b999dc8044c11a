"""System checks: they name wrong settings at start, each with its remedy."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from . import ammonia, models
from .conf import ROOM_TYPES, SETTING, chat_settings, is_swapped
from .setting import declared

GUARDIAN_BACKEND = "guardian.backends.ObjectPermissionBackend"

_CLASSES = ("EVENT_HANDLER_CLASS", "PERMISSION_HANDLER_CLASS", "EXCEPTION_HANDLER_CLASS")


@register("gql_chat")
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report every key of `REALTIME_CHAT_MESSAGING` whose value is wrong."""
    try:
        chat_settings.MODELS  # noqa: B018 (reads them all)
    except ImproperlyConfigured as error:
        return [
            Error(
                str(error),
                hint=f"Write the keys of {SETTING} as docs/settings.md lists them.",
                id="gql_chat.E001",
            )
        ]
    problems = _check_values() + _check_sanitizer()
    if apps.is_installed("guardian"):  # nothing else can be imported without
        problems += _check_models()
        problems += [problem for name in _CLASSES for problem in check_class(name)]
        problems += _check_access()
        problems += _check_serializers()
    return problems


def check_class(name: str) -> list[CheckMessage]:
    """Report a setting that is not the default class or a subclass of it."""
    default = declared(type(chat_settings))[name].default
    base = import_string(default)
    try:
        found = chat_settings.load(name)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=f"Name a subclass of {default}.", id="gql_chat.E003")]
    if isinstance(found, type) and issubclass(found, base):
        return []
    return [
        Error(
            f"{SETTING}[{name!r}] is {chat_settings.read(name)!r}, which is no subclass of "
            f"{default}.",
            hint="Derive the class from it.",
            id="gql_chat.E003",
        )
    ]


def _check_access() -> list[CheckMessage]:
    hint = "Name a function that takes a user and returns True or False."
    try:
        found = chat_settings.load("GRAPHQL_ACCESS")
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=hint, id="gql_chat.E003")]
    if callable(found) and not isinstance(found, type):
        return []
    value = chat_settings.GRAPHQL_ACCESS
    return [
        Error(
            f"{SETTING}['GRAPHQL_ACCESS'] is {value!r}, which is no function.",
            hint=hint,
            id="gql_chat.E003",
        )
    ]


def _check_values() -> list[CheckMessage]:
    return [
        Error(
            f"{SETTING}[{name!r}] is {value!r}.",
            hint=setting.kind.remedy,
            id="gql_chat.E004",
        )
        for name, setting in declared(type(chat_settings)).items()
        if setting.kind is not None and not setting.kind.holds(value := chat_settings.read(name))
    ]


def _check_sanitizer() -> list[CheckMessage]:
    if chat_settings.SANITIZER != "nh3":
        return []
    try:
        ammonia.load()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="Install it, or name 'bleach'.", id="gql_chat.E003")]
    return []


# Models


def _check_models() -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    found: dict[str, Any] = {}
    for name, label in chat_settings.MODELS.items():
        where = f"{SETTING}['MODELS'][{name!r}] is {label!r}"
        if name in ROOM_TYPES and is_swapped("Room") and label == f"gql_chat.{name}":
            problems.append(
                Error(
                    f"{where}, which does not exist while 'Room' is a model of the project's own.",
                    hint=f"Declare a proxy of it with models.{name}Mixin, and name it here.",
                    id="gql_chat.E002",
                )
            )
            continue
        try:
            found[name] = models.get_model(name)
        except ImproperlyConfigured as error:
            problems.append(
                Error(
                    str(error),
                    hint="Write 'app_label.ModelName', as the installed app has it.",
                    id="gql_chat.E002",
                )
            )
            continue
        if name not in ROOM_TYPES:
            base = getattr(models, f"Abstract{name}")
            if not issubclass(found[name], base):
                problems.append(
                    Error(
                        f"{where}, which is no subclass of gql_chat.models.{base.__name__}.",
                        hint="Derive the model from it.",
                        id="gql_chat.E002",
                    )
                )
    for name in ROOM_TYPES:
        if name in found and "Room" in found:
            problems += _check_room_type(name, found[name], found["Room"])
    return problems


def _check_room_type(name: str, model: Any, room: Any) -> list[CheckMessage]:
    where = f"{SETTING}['MODELS'][{name!r}] is {chat_settings.MODELS[name]!r}"
    if not model._meta.proxy or model._meta.concrete_model is not room:
        return [
            Error(
                f"{where}, which is no proxy of {room._meta.label}.",
                hint=f"Derive it from {room._meta.label} or a type of it, with Meta.proxy = True.",
                id="gql_chat.E002",
            )
        ]
    if model.rules.name != name:
        return [
            Error(
                f"{where}, whose rules are those of {model.rules.name!r}.",
                hint=f"Give it rules with name = {name!r}: derive them from those of the type.",
                id="gql_chat.E002",
            )
        ]
    return []


# Serializers


def _check_serializers() -> list[CheckMessage]:
    # Not before: importing the schema takes longer than all of `django.setup()`.
    from .schema import types

    problems: list[CheckMessage] = []
    for name, value in chat_settings.SERIALIZERS.items():
        where = f"{SETTING}['SERIALIZERS'][{name!r}] is {value!r}"
        try:
            found = chat_settings.load_serializer(name)
        except ImproperlyConfigured as error:
            problems.append(
                Error(
                    str(error),
                    hint="Name a Strawberry type by its dotted path.",
                    id="gql_chat.E003",
                )
            )
            continue
        base: type[Any] = object
        if name in ROOM_TYPES:
            base = types.Room
        elif name.removesuffix("Summary") in ROOM_TYPES:
            base = types.RoomSummary
        if not _is_object_type(found):
            problems.append(
                Error(
                    f"{where}, which is no Strawberry type.",
                    hint="Decorate the class, not only its base, with @strawberry.type.",
                    id="gql_chat.E003",
                )
            )
        elif not issubclass(found, base):
            problems.append(
                Error(
                    f"{where}, which is no subclass of gql_chat.schema.types.{base.__name__}.",
                    hint="Derive it from that interface, or from the type that it replaces.",
                    id="gql_chat.E003",
                )
            )
    return problems


def _is_object_type(found: Any) -> bool:
    from strawberry.types import get_object_definition

    definition = get_object_definition(found)
    return (
        definition is not None
        # A subclass that is not decorated has its base's.
        and definition.origin is found
        and not definition.is_input
        and not definition.is_interface
    )


# Integration


@register("gql_chat")
def check_integration(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report what the project's other settings lack that chat needs."""
    problems: list[CheckMessage] = []
    if not apps.is_installed("guardian"):
        problems.append(
            Error(
                f"INSTALLED_APPS is {settings.INSTALLED_APPS!r}, without 'guardian'.",
                hint="Add 'guardian', which holds the permissions on rooms.",
                id="gql_chat.E005",
            )
        )
    if not settings.USE_TZ:
        problems.append(
            Error(
                f"USE_TZ is {settings.USE_TZ!r}.",
                hint="Set it to True: the times of chat are in UTC.",
                id="gql_chat.E006",
            )
        )
    if not any(_is_guardians(path) for path in settings.AUTHENTICATION_BACKENDS):
        problems.append(
            Warning(
                f"AUTHENTICATION_BACKENDS is {settings.AUTHENTICATION_BACKENDS!r}, without "
                "guardian's.",
                hint=f"Add '{GUARDIAN_BACKEND}', so that user.has_perm sees permissions on rooms.",
                id="gql_chat.W001",
            )
        )
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default")
    if layer is None:
        problems.append(
            Warning(
                "CHANNEL_LAYERS has no 'default', so other processes hear of events late.",
                hint="Name a layer: 'channels_redis.core.RedisChannelLayer' between processes, "
                "'channels.layers.InMemoryChannelLayer' for one process.",
                id="gql_chat.W002",
            )
        )
    else:
        problems += _check_layer(layer)
    return problems


def _check_layer(layer: Any) -> list[CheckMessage]:
    # CONFIG, which may hold a password, is not shown.
    path: Any = layer.get("BACKEND") if isinstance(layer, dict) else layer
    try:
        import_string(path)
    except (ImportError, AttributeError) as error:  # the latter if it is no text
        return [
            Error(
                f"CHANNEL_LAYERS['default'] names {path!r}, which does not import: {error}.",
                hint="Name the layer's class in BACKEND, and install its package.",
                id="gql_chat.E007",
            )
        ]
    return []


def _is_guardians(path: str) -> bool:
    if not apps.is_installed("guardian"):
        return path == GUARDIAN_BACKEND
    try:
        return issubclass(import_string(path), import_string(GUARDIAN_BACKEND))
    except (ImportError, TypeError):
        return False  # Django says so


# Declarations


@register("gql_chat")
def check_declarations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report fields and events of the project's that cannot be used as declared."""
    if check_settings() or not apps.is_installed("guardian"):
        return []  # other checks say why
    # As above.
    from .schema.events import own_events
    from .schema.writable import build_inputs

    problems: list[CheckMessage] = []
    for build in (build_inputs, own_events):
        try:
            build()
        except ImproperlyConfigured as error:
            problems.append(Error(str(error), hint="Correct the class.", id="gql_chat.E010"))
    return problems
