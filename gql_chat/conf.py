"""The settings object: `REALTIME_CHAT_MESSAGING`, merged with its defaults.

Values are read lazily and again after every change of the Django setting, so
`override_settings` takes effect at once. Importing this module also gives Django the one
setting per swappable model (`GQL_CHAT_<NAME>_MODEL`) that `Meta.swappable` needs; that has
to happen before any model of the package loads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import wraps
from threading import RLock
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .limits import RATES, Limits
from .setting import (
    ClassSetting,
    Kind,
    NamesSetting,
    Setting,
    declared,
    flag,
    names,
    one_of,
    seconds,
    seconds_or_none,
)

T = TypeVar("T")

SETTING = "REALTIME_CHAT_MESSAGING"

_LABEL = re.compile(r"\w+\.\w+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]*")
_PREFIX = re.compile(r"(?:[A-Za-z][A-Za-z0-9_-]{0,31})?")

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

USER_FIELDS = ("id", "username", "email", "first_name", "last_name")
"""The fields of a user that the package can show. The setting `USER_FIELDS` chooses among them."""

NEEDED_USER_FIELDS = frozenset({"id", "username"})
"""Without these a client cannot tell who wrote a message."""

FEATURES = (
    "read_markers",
    "mentions",
    "room_preferences",
    "pins",
    "history",
    "erasure",
    "presence",
    "pages",
)
"""The names of the features beyond the documented protocol; a project may leave some out."""

SCHEMA_SETTINGS = (
    "EVENT_HANDLER_CLASS",
    "EVENT_MAPPER",
    "FEATURES",
    "MODELS",
    "SERIALIZERS",
    "USER_FIELDS",
)
"""The schema and its documents are made of these; other settings are read when they are used."""


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("/") and not set(value) & set("?# \t\n")


def _are_user_fields(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and all(isinstance(name, str) for name in value)
        and NEEDED_USER_FIELDS <= set(value) <= set(USER_FIELDS)
    )


def _is_prefix(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _PREFIX.fullmatch(value) is not None)


def _are_origins(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(each, str)
        and (each in ("*", "null") or _ORIGIN.fullmatch(each) is not None)
        and each == each.lower()
        for each in value
    )


_PATH = Kind(_is_path, "Use a path that ends with a slash, as 'messaging/', without a query.")
_USER_FIELDS = Kind(
    _are_user_fields,
    f"Use a list with 'id', 'username' and whichever of {', '.join(USER_FIELDS[2:])} frames shall "
    "show. Other fields are those of a type of your own: SERIALIZERS['User'].",
)
_ORIGINS = Kind(
    _are_origins,
    "Use a list of origins as browsers send them, such as ['capacitor://localhost'], or ['*'] to "
    "let every page in.",
)
_SANITIZER = Kind(lambda value: value in ("bleach", "nh3"), "Use 'bleach' or 'nh3'.")
_NAME_PREFIX = Kind(
    _is_prefix,
    "Use a letter and up to 31 letters, digits, '-' or '_' more, as 'chat-'; '' to leave `id` and "
    "`class` as they are, or None to drop them.",
)


class ChatSettings(Limits):
    """The package's settings as attributes: `chat_settings.MAX_PAGE_SIZE`.

    A new setting is one more attribute: its type, its default, its system check and its line in
    `docs/settings.md` (`python -m tests.settings_table`) follow from the declaration.

    Attributes:
        version: counts the changes of what the schema is made of (`SCHEMA_SETTINGS`).

    Raises:
        ImproperlyConfigured: on reading any setting while `REALTIME_CHAT_MESSAGING` is no
            dict or holds an unknown key, which the message names.
    """

    MESSAGE_SOFT_DELETE = flag(
        False, "Deleted messages stay as hidden rows (`is_deleted`). Otherwise the rows go"
    )
    ENABLE_NOTIFICATION = flag(True, "Make notifications, and send `chat.notifications`")
    INACTIVITY_THRESHOLD = seconds(
        60,
        "Seconds after which a session is deleted that is silent and whose lease nobody has "
        "renewed",
    )
    WEBSOCKET_PATH = Setting(
        "messaging/", "Where the socket is; ends with a slash, a leading one is ignored", _PATH
    )
    CHAT_CONSUMER_CLASS = ClassSetting("event_bridge.consumers.ChatConsumer", "The socket")
    EVENT_MAPPER: Setting[Any] = Setting(
        "event_bridge.operations.map_events", "The function that returns the events"
    )
    EVENT_HANDLER_CLASS = ClassSetting("gql_chat.operations.EventHandler", "The operations")
    PERMISSION_HANDLER_CLASS = ClassSetting(
        "gql_chat.permissions.PermissionHandler", "Who may do what"
    )
    EXCEPTION_HANDLER_CLASS = ClassSetting(
        "gql_chat.errors.ExceptionHandler", "What clients see of an exception"
    )
    GRAPHQL_ACCESS: Setting[Any] = Setting(
        "gql_chat.endpoint.access.may_view",
        "Who may use the [GraphQL endpoint](graphql.md#who-may-use-it): a function that gets the "
        "user",
    )
    GRAPHQL_INTROSPECTION = flag(True, "Whether the endpoint tells its schema")
    MODELS = NamesSetting(MODELS, "gql_chat.", "The models in use")
    SERIALIZERS = NamesSetting(
        SERIALIZERS, "gql_chat.schema.types.", "What frames show of each object"
    )

    USER_FIELDS: Setting[Sequence[str]] = Setting(
        USER_FIELDS,
        "What frames show of a [user](swapping.md#users): `id`, `username`, and whichever of "
        "`email`, `first_name` and `last_name` are named. A field that is not shown is not read",
        _USER_FIELDS,
        shown="all five",
    )
    HIDE_FORBIDDEN = flag(
        False,
        "Rooms, messages and users that somebody may not see are answered like unknown ones: with "
        "4004 [instead of 4002](permissions.md#what-an-error-tells)",
    )
    FEATURES = names(
        FEATURES,
        "The features beyond the documented protocol: their events, their fields and rights. "
        "`()` leaves exactly the protocol",
        shown=f"all: `{FEATURES!r}`",
    )
    FIND_ALL_USERS = flag(
        False,
        "`user.find` finds all active users. Otherwise it finds [those who share a "
        "room](pages.md#finding-people) with whoever asks",
    )
    ERASE_LOG = one_of(
        "deleted",
        'What goes out of the [event log](erasure.md): `"deleted"`, what is deleted; `"edited"`, '
        "what a message said before an edit as well; None, nothing. Needs the feature `erasure`",
        "edited",
        None,
    )
    PRESENCE_GRACE = seconds(
        20,
        "Seconds after which a user is shown as [offline](presence.md) who has closed the last "
        "socket, or whose process was killed",
    )
    ALLOWED_ORIGINS: Setting[Sequence[str]] = Setting(
        (),
        "Origins whose pages may open sockets with cookies, besides those of `ALLOWED_HOSTS` and "
        '`CSRF_TRUSTED_ORIGINS`: those of apps, as `["capacitor://localhost"]`. `["*"]` lets '
        "[every page](deployment.md#origins) in",
        _ORIGINS,
    )

    SANITIZER: Setting[str] = Setting(
        "bleach",
        'What cleans the HTML of messages: `"bleach"`, or the faster `"nh3"`, which the extra '
        "`nh3` installs. [Both](markup.md#bleach-or-nh3) let the same through",
        _SANITIZER,
    )
    RELATIVE_LINKS = flag(
        False,
        "Links in messages may lead to a path, a query or a fragment of the page's own site. "
        "Otherwise those without a scheme go",
    )
    ID_AND_CLASS_PREFIX: Setting[str | None] = Setting(
        "",
        'What each `id` and `class` in messages begins with, as `"chat-"`; `""` leaves them as '
        "they are, `None` drops them. [Why](markup.md#id-and-class)",
        _NAME_PREFIX,
    )

    EVENT_LOG_RETENTION = seconds_or_none(
        7 * 24 * 3600,
        "Seconds that `prune_chat` keeps the event log: seven days",
        none="kept for ever",
        remedy="to keep it for ever",
        shown="`604_800`",
    )
    LOCK_TIMEOUT = seconds_or_none(
        2,
        "Seconds that an event waits for a room, or anything else, that is "
        "[locked](concurrency.md#rooms-that-are-locked); then it is answered with 4503. On "
        "PostgreSQL; on SQLite the database's `timeout` says it",
        none="as long as the database lets it",
        remedy="to wait for ever",
        most=(2**31 - 1) // 1000,  # PostgreSQL keeps it in milliseconds
    )
    METRICS = flag(
        False,
        "Count and time what the socket does, for [Prometheus](monitoring.md); needs the extra "
        "`metrics`",
    )
    LOG_EVENTS = flag(False, "One [log line](monitoring.md#log-lines) for each event")

    def __init__(self) -> None:
        self.version = 0
        self._made_of = _schema_settings()
        self._known = _Known()

    def read(self, name: str) -> Any:
        """Return the value of a setting, as a project has it or by default."""
        known = self._known
        values = known.values
        if values is None:
            given = getattr(settings, SETTING, {})
            values = merge(given)
            # An override that does not name a model is not meant to swap it back.
            started = {name: model_label(name) for name in MODELS}
            values["MODELS"] = {**started, **given.get("MODELS", {})}
            known.values = values
        return values[name]

    def shows_of_users(self, name: str) -> bool:
        """Tell whether frames show a field of users, one of `USER_FIELDS`.

        Raises:
            ImproperlyConfigured: the setting is wrong.
        """
        shown = self.USER_FIELDS
        if not _USER_FIELDS.holds(shown):
            raise ImproperlyConfigured(
                f"{SETTING}['USER_FIELDS'] is {shown!r}. {_USER_FIELDS.remedy}"
            )
        return name in shown

    def load(self, name: str) -> Any:
        """Import what the dotted path in the setting `name` points at (cached until a change).

        Raises:
            ImproperlyConfigured: where the path does not import, naming setting and value.
        """
        return self._load(name, lambda: self.read(name))

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


def defaults() -> dict[str, Any]:
    """Return the default of every setting, by its name."""
    return {name: setting.default for name, setting in declared(ChatSettings).items()}


def merge(given: Any) -> dict[str, Any]:
    """Merge a project's `REALTIME_CHAT_MESSAGING` with the defaults; dicts merge key by key.

    Raises:
        ImproperlyConfigured: `given` is no dict, a nested setting is no dict where one is
            needed, or a key is unknown (the message names it).
    """
    if not isinstance(given, dict):
        raise ImproperlyConfigured(f"{SETTING} must be a dict, not {type(given).__name__}.")
    merged: dict[str, Any] = {}
    for name, setting in declared(ChatSettings).items():
        default = setting.default
        value = given.get(name, default)
        if isinstance(setting, NamesSetting):
            if not isinstance(value, dict):
                raise ImproperlyConfigured(f"{SETTING}[{name!r}] must be a dict.")
            _refuse_unknown(value, default, f"{SETTING}[{name!r}]")
            value = {**default, **value}
        merged[name] = value
    _refuse_unknown(given, merged, SETTING)
    if given.get("RATE_LIMIT", ...) is None:
        merged |= {name: None for name in RATES if name not in given}
    return merged


def _refuse_unknown(given: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for key in given:
        if key not in known:
            raise ImproperlyConfigured(
                f"{where} has an unknown key {key!r}.{_suggest(key, known)} "
                f"Known keys: {', '.join(known)}."
            )


def _suggest(key: Any, known: Iterable[str]) -> str:
    close = get_close_matches(str(key).upper(), known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


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
    default: str = ChatSettings.MODELS.default[name]
    return model_label(name).lower() != default.lower()


def install_model_settings() -> None:
    """Set `GQL_CHAT_<NAME>_MODEL` for every model, as `Meta.swappable` reads it.

    A value that cannot be a label is left at its default. So the models load all the same, and the
    system checks, which need them, say what is wrong.
    """
    given = getattr(settings, SETTING, {})
    models = given.get("MODELS") if isinstance(given, dict) else None
    for name, default in ChatSettings.MODELS.default.items():
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

    If they change while another thread still builds, its result is not kept.
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
