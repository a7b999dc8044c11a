"""Settings of the project the tests run: a project that sets as little as it can.

The environment chooses what it runs on:

- ``CHAT_TEST_DATABASE``: ``sqlite`` (default) with the file ``CHAT_TEST_FILE``, or ``postgres``
  with the connection string ``CHAT_TEST_DSN``.
- ``CHAT_TEST_LAYER``: ``memory`` (default), or ``redis`` or ``pubsub`` with the server
  ``CHAT_TEST_REDIS``.
- ``CHAT_TEST_PROJECT``: ``plain`` (default), or ``custom``: a project with users of its own
  (`tests.site.people`), swapped models and a fourth room type (those of ``docs/examples``).
- ``CHAT_TEST_SETTINGS``: settings of chat, as JSON.
- ``CHAT_TEST_DISORDER``, if set, makes the layer lose, delay and reorder messages.
"""

import json
import os
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured


def _sqlite() -> dict[str, Any]:
    # Without a file nothing is kept: enough for makemigrations and mypy. The tests name a file,
    # since several threads and processes use it.
    path = os.environ.get("CHAT_TEST_FILE", ":memory:")
    options: dict[str, Any] = {"timeout": 20}
    # Before Django 5.1 there are no such options; chat does without.
    if django.VERSION >= (5, 1):
        options["transaction_mode"] = "IMMEDIATE"
        options["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": options,
        "TEST": {"NAME": path},
    }


def _postgres() -> dict[str, Any]:
    # Imported here: a run on SQLite needs no psycopg.
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(os.environ["CHAT_TEST_DSN"])
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
    }
    return {**database, "OPTIONS": parts}


def _database() -> dict[str, Any]:
    match os.environ.get("CHAT_TEST_DATABASE", "sqlite"):
        case "sqlite":
            return _sqlite()
        case "postgres":
            return _postgres()
        case unknown:
            raise ImproperlyConfigured(f"CHAT_TEST_DATABASE={unknown}: sqlite or postgres")


_DISORDERLY = {
    "channels_redis.core.RedisChannelLayer": "tests.site.layers.DisorderlyRedisLayer",
    "channels_redis.pubsub.RedisPubSubChannelLayer": "tests.site.layers.DisorderlyPubSubLayer",
}


def _layer() -> dict[str, Any]:
    match os.environ.get("CHAT_TEST_LAYER", "memory"):
        case "memory":
            return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
        case "redis":
            backend = "channels_redis.core.RedisChannelLayer"
        case "pubsub":
            backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
        case unknown:
            raise ImproperlyConfigured(f"CHAT_TEST_LAYER={unknown}: memory, redis or pubsub")
    if "CHAT_TEST_DISORDER" in os.environ:
        backend = _DISORDERLY[backend]
    return {"BACKEND": backend, "CONFIG": {"hosts": [os.environ["CHAT_TEST_REDIS"]]}}


SECRET_KEY = "only-for-tests"
DEBUG = False
USE_TZ = True
# A client on a real socket sends these as its origin, and AllowedHostsOriginValidator checks it.
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "tests.site.urls"
ASGI_APPLICATION = "tests.site.asgi.application"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "channels",
    "guardian",
    "gql_chat",
    "event_bridge",
]
match os.environ.get("CHAT_TEST_PROJECT", "plain"):
    case "plain":
        pass
    case "custom":
        INSTALLED_APPS += [
            "tests.site.people",
            "tests.site.marks",
            "docs.examples.swapped_models",
            "docs.examples.support_queue",
            "docs.examples.contacts",
        ]
        AUTH_USER_MODEL = "people.Person"
        REALTIME_CHAT_MESSAGING = {
            "MODELS": {
                "Message": "swapped_models.Message",
                "Reaction": "swapped_models.Reaction",
                "Session": "swapped_models.Session",
            },
        }
    case unknown:
        raise ImproperlyConfigured(f"CHAT_TEST_PROJECT={unknown}: plain or custom")
if "CHAT_TEST_SETTINGS" in os.environ:
    REALTIME_CHAT_MESSAGING = {
        **globals().get("REALTIME_CHAT_MESSAGING", {}),
        **json.loads(os.environ["CHAT_TEST_SETTINGS"]),
    }
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
# A real hash takes longer than the test that logs in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES = {"default": {**_database(), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}}
CHANNEL_LAYERS = {"default": _layer()}
