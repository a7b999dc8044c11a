"""Settings of the measured project: the test project's, with every limit off.

All else is as a project has it that sets nothing: sanitiser, permissions, notifications,
event log, signals. The environment chooses what it runs on, as in `tests.site.settings`.
"""

import os

from tests.site.settings import (
    ALLOWED_HOSTS,
    AUTHENTICATION_BACKENDS,
    CHANNEL_LAYERS,
    DATABASES,
    DEFAULT_AUTO_FIELD,
    INSTALLED_APPS,
    SECRET_KEY,
    USE_TZ,
)

__all__ = [
    "ALLOWED_HOSTS",
    "AUTHENTICATION_BACKENDS",
    "CHANNEL_LAYERS",
    "DATABASES",
    "DEFAULT_AUTO_FIELD",
    "INSTALLED_APPS",
    "SECRET_KEY",
    "USE_TZ",
]

# The admin needs templates and middleware, which no socket passes.
INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "django.contrib.admin"]

# For the start-up scenario: Django's own apps alone.
if "BENCH_BARE" in os.environ:
    INSTALLED_APPS = [app for app in INSTALLED_APPS if app.startswith("django.")]

REALTIME_CHAT_MESSAGING = {
    "MAX_MESSAGE_LENGTH": None,
    "MAX_MEDIA_ITEMS": None,
    "MAX_FRAME_BYTES": None,
    "RATE_LIMIT": None,
    "MAX_SESSIONS_PER_USER": None,
    "MAX_MEMBERS": None,
    "MAX_IDS": None,
    "MAX_ROOMS_PER_USER": None,
    "MAX_ROOMS_BY_OTHERS": None,
    "ROOM_RATE_LIMIT": None,
    "USER_RATE_LIMIT": None,
}
