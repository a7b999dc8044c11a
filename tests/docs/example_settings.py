"""Settings of the project that the examples of the documentation are together."""

import chat_settings

from tests.site.settings import *  # noqa: F403
from tests.site.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, *chat_settings.INSTALLED_APPS]
REALTIME_CHAT_MESSAGING = chat_settings.REALTIME_CHAT_MESSAGING
# One process, whatever layer the other tests use.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
