"""The settings object: `REALTIME_CHAT_MESSAGING`, merged with its defaults.

Values are read lazily and again after every change of the Django setting, so
`override_settings` takes effect at once. Importing this module also gives Django the one
setting per swappable model (`GQL_CHAT_<NAME>_MODEL`) that `Meta.swappable` needs; that has
to happen before any model of the package loads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

T = TypeVar("T")

SETTING = "REALTIME_CHAT_MESSAGING"

_LABEL = re.compile(r"\w+\.\w+")

ROOM_TYPES = ("OneToOneChat", "GroupChat", "Channel")
"""The keys of `MODELS` that name proxies of the room model, not tables."""

MODELS = (
    "Session",
    "Room",
    "RoomProperty",
    *ROOM_TYPES,
    "Message",
    "MessageMediaAsset",
    "ReadReceipt",
    "ChatNotification",
    "Reaction",
)

SERIALIZERS = (
    "User",
    "Message",
    "QuotedMessage",
    "Attachment",
    "ReadReceipt",
    "Reaction",
    "Notification",
    "RoomProperty",
    "OneToOneChat",
    "GroupChat",
    "Channel",
    "OneToOneChatSummary",
    "GroupChatSummary",
    "ChannelSummary",
)

DEFAULTS: dict[str, Any] = {
    "MESSAGE_SOFT_DELETE": False,
    "ENABLE_NOTIFICATION": True,
    "INACTIVITY_THRESHOLD": 60,
    "WEBSOCKET_PATH": "messaging/",
    "CHAT_CONSUMER_CLASS": "event_bridge.consumers.ChatConsumer",
    "EVENT_MAPPER": "event_bridge.operations.map_events",
    "EVENT_HANDLER_CLASS": "gql_chat.operations.EventHandler",
    "PERMISSION_HANDLER_CLASS": "gql_chat.permissions.PermissionHandler",
    "EXCEPTION_HANDLER_CLASS": "gql_chat.errors.ExceptionHandler",
    "MODELS": {name: f"gql_chat.{name}" for name in MODELS},
    "SERIALIZERS": {name: f"gql_chat.schema.types.{name}" for name in SERIALIZERS},
    "MAX_MESSAGE_LENGTH": 10_000,
    "MAX_MEDIA_ITEMS": 50,
    "MAX_FRAME_BYTES": 1024 * 1024,
    "MAX_PAGE_SIZE": 100,
    "MAX_NOTIFICATIONS": 100,
    "MAX_IDS": 500,
    "RATE_LIMIT": None,
    "MAX_SESSIONS_PER_USER": 100,
    "EVENT_LOG_RETENTION": 7 * 24 * 3600,
    "LOCK_TIMEOUT": 2,
    "GRAPHQL_ACCESS": "gql_chat.endpoint.access.is_staff",
    "GRAPHQL_INTROSPECTION": True,
    "GRAPHQL_MAX_DEPTH": 12,
    "GRAPHQL_MAX_ALIASES": 15,
    "GRAPHQL_MAX_TOKENS": 2000,
    "GRAPHQL_MAX_BODY_BYTES": 256 * 1024,
    "GRAPHQL_MAX_SUBSCRIPTIONS": 20,
}


SCHEMA_SETTINGS = ("EVENT_HANDLER_CLASS", "EVENT_MAPPER", "MODELS", "SERIALIZERS")
"""What the schema and its documents are made of; other settings are read when they are used."""


class ChatSettings:
    """The package's settings as attributes: `chat_settings.MAX_PAGE_SIZE`.

    Attributes:
        version: counts the changes of what the schema is made of (`SCHEMA_SETTINGS`).

    Raises:
        ImproperlyConfigured: on reading any setting while `REALTIME_CHAT_MESSAGING` is no
            dict or holds an unknown key, which the message names.
    """

    def __init__(self) -> None:
        self.version = 0
        self._made_of = _schema_settings()
        self._known = _Known()

    def __getattr__(self, name: str) -> Any:
        known = self._known
        values = known.values
        if values is None:
            given = getattr(settings, SETTING, {})
            values = merge(given)
            # An override that does not name a model is not meant to swap it back.
            started = {name: model_label(name) for name in DEFAULTS["MODELS"]}
            values["MODELS"] = {**started, **given.get("MODELS", {})}
            known.values = values
        try:
            return values[name]
        except KeyError:
            raise AttributeError(f"{SETTING} has no setting {name!r}.") from None

    def load(self, name: str) -> Any:
        """Import what the dotted path in the setting `name` points at (cached until a change).

        Raises:
            ImproperlyConfigured: where the path does not import, naming setting and value.
        """
        return self._load(name, lambda: getattr(self, name))

    def load_serializer(self, name: str) -> Any:
        """Import the Strawberry type that renders the object `name`, a key of `SERIALIZERS`."""
        return self._load(f"SERIALIZERS[{name!r}]", lambda: self.SERIALIZERS[name])

    def _load(self, key: str, read: Callable[[], Any]) -> Any:
        loaded = self._known.loaded
        if key not in loaded:
            loaded[key] = _import(key, read())
        return loaded[key]

    def reload(self) -> None:
        """Forget every value read so far."""
        self._known = _Known()
        # A schema takes a third of a second: a test that changes a limit does not wait for one.
        made_of = _schema_settings()
        if made_of != self._made_of:
            self._made_of = made_of
            self.version += 1


class _Known:
    """What was read of the settings as they are; they get another one when they change.

    So a thread that was reading while they changed keeps nothing of the old ones.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] | None = None
        self.loaded: dict[str, Any] = {}


def _schema_settings() -> Any:
    given = getattr(settings, SETTING, {})
    if not isinstance(given, dict):
        return given
    return {name: given[name] for name in SCHEMA_SETTINGS if name in given}


def merge(given: Any) -> dict[str, Any]:
    """Merge a project's `REALTIME_CHAT_MESSAGING` with the defaults; dicts merge key by key.

    Raises:
        ImproperlyConfigured: `given` is no dict, a nested setting is no dict where one is
            needed, or a key is unknown (the message names it).
    """
    if not isinstance(given, dict):
        raise ImproperlyConfigured(f"{SETTING} must be a dict, not {type(given).__name__}.")
    merged: dict[str, Any] = {}
    for name, default in DEFAULTS.items():
        value = given.get(name, default)
        if isinstance(default, dict):
            if not isinstance(value, dict):
                raise ImproperlyConfigured(f"{SETTING}[{name!r}] must be a dict.")
            _refuse_unknown(value, default, f"{SETTING}[{name!r}]")
            value = {**default, **value}
        merged[name] = value
    _refuse_unknown(given, DEFAULTS, SETTING)
    return merged


def _refuse_unknown(given: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for key in given:
        if key not in known:
            raise ImproperlyConfigured(
                f"{where} has an unknown key {key!r}. Known keys: {', '.join(known)}."
            )


def _import(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"{SETTING}[{name!r}] is {value!r}, which does not import: {error}"
        ) from error


def model_setting(name: str) -> str:
    """Return the name of the Django setting that swaps the model `name`."""
    return f"GQL_CHAT_{name.upper()}_MODEL"


def model_label(name: str) -> str:
    """Return the label of the model `name`, as `MODELS` had it when the process started."""
    label: str = getattr(settings, model_setting(name))
    return label


def is_swapped(name: str) -> bool:
    """Tell whether a project's model has taken the place of the package's model `name`."""
    default: str = DEFAULTS["MODELS"][name]
    return model_label(name).lower() != default.lower()


def install_model_settings() -> None:
    """Set `GQL_CHAT_<NAME>_MODEL` for every model, as `Meta.swappable` reads it.

    What cannot be a label stays at its default: the models load all the same, and the system
    checks, which need them, say what is wrong.
    """
    given = getattr(settings, SETTING, {})
    models = given.get("MODELS") if isinstance(given, dict) else None
    for name, default in DEFAULTS["MODELS"].items():
        label = models.get(name) if isinstance(models, dict) else None
        is_label = isinstance(label, str) and _LABEL.fullmatch(label) is not None
        setattr(settings, model_setting(name), label if is_label else default)


chat_settings = ChatSettings()


building = RLock()
"""Held by the thread that builds a schema or what is made of one. One lock, since they need each
other, and since schemas share the names by which their types refer to each other."""


def per_settings(build: Callable[[], T]) -> Callable[[], T]:
    """Decorate a function to build its result once, and again when `SCHEMA_SETTINGS` change.

    Threads that need it at the same time get the same: the others wait for the one that builds.

    What is still being built while they change, in another thread, is not kept for the new ones.
    """
    built: dict[int, T] = {}

    @wraps(build)
    def get() -> T:
        try:
            return built[chat_settings.version]
        except KeyError:
            pass
        with building:
            version = chat_settings.version
            if version not in built:
                result = build()
                built.clear()
                built[version] = result
            return built[version]

    return get


def _reload_on_change(*, setting: str, **_: Any) -> None:
    if setting == SETTING:
        chat_settings.reload()


setting_changed.connect(_reload_on_change, dispatch_uid="gql_chat.conf")
install_model_settings()
