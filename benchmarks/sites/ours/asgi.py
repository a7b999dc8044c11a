"""The ASGI application of the measured project."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.sites.ours.settings")
http_application = get_asgi_application()

# What follows imports models, and those need the set-up that the line above made.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from benchmarks import levers  # noqa: E402
from benchmarks.sites.believe import BelieveQuery  # noqa: E402

# Before the line that prepares the documents.
levers.switch_off_named()

from event_bridge.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": AllowedHostsOriginValidator(BelieveQuery(URLRouter(websocket_urlpatterns))),
    }
)
