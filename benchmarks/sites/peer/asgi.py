"""The ASGI application of the project that uses the peer package."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.sites.peer.settings")
django.setup()

# What follows imports models, and those need the set-up that the line above made.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from realtime_chat_messaging.routing import websocket_urlpatterns  # noqa: E402

from benchmarks.sites.believe import BelieveQuery  # noqa: E402

application = ProtocolTypeRouter(
    {"websocket": AllowedHostsOriginValidator(BelieveQuery(URLRouter(websocket_urlpatterns)))}
)
