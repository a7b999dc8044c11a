"""The ASGI application of the test project: what the documentation tells projects to write.

One thing is added, for tests alone: a socket opened with ``?user=<pk>`` is that user's. Without
it, the session cookie decides, as everywhere.
"""

import os
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
http_application = get_asgi_application()

# What follows imports models, and those need the set-up that the line above made.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.db import database_sync_to_async  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import AnonymousUser  # noqa: E402
from django.core.exceptions import ValidationError  # noqa: E402
from django.urls import path  # noqa: E402

from event_bridge.routing import websocket_urlpatterns  # noqa: E402
from gql_chat.endpoint import ChatGraphQLSocket  # noqa: E402

Application: TypeAlias = Any
Scope: TypeAlias = dict[str, Any]


@database_sync_to_async
def _user(pk: str) -> Any:
    users = get_user_model()._default_manager
    try:
        # The key may be a number, a UUID or text: the model's own field says what is malformed.
        return users.get(pk=pk)
    except (users.model.DoesNotExist, ValueError, ValidationError):
        return AnonymousUser()


class BelieveQuery:
    """Takes the user from the query string's ``user``, where it is given."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Hand the connection on, as the user it says it is."""
        named = parse_qs(scope["query_string"].decode()).get("user")
        if named:
            scope = {**scope, "user": await _user(named[0])}
        await self.application(scope, receive, send)


routes = [*websocket_urlpatterns, path("chat/graphql/", ChatGraphQLSocket.as_asgi())]

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(BelieveQuery(URLRouter(routes)))
        ),
    }
)

#: Leaves the origin to chat itself.
unguarded_application = ProtocolTypeRouter(
    {"http": http_application, "websocket": AuthMiddlewareStack(BelieveQuery(URLRouter(routes)))}
)

#: Asks nobody for an Origin: clients that are no browsers send none.
open_application = ProtocolTypeRouter({"websocket": BelieveQuery(URLRouter(routes))})
