"""The two pages of the demo: login and chat. And who may see its metrics and health."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from gql_chat.conf import chat_settings

from .demo_users import DEMO_USERS, PASSWORD


class DemoLoginView(LoginView):
    """Django's login, with the demo's users on the page and one button for each."""

    template_name = "example/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the users whom the page offers."""
        return super().get_context_data(demo_users=DEMO_USERS, demo_password=PASSWORD, **kwargs)


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Show the chat page; everything on it comes over the socket."""
    page_data = {
        "user": {"id": request.user.pk, "username": request.user.get_username()},
        "socketPath": "/" + chat_settings.WEBSOCKET_PATH.lstrip("/"),
    }
    return render(request, "example/home.html", {"page_data": page_data})


View = Callable[[HttpRequest], Awaitable[HttpResponse]]


def local_only(view: View) -> View:
    """Show a view to this machine alone."""

    @wraps(view)
    async def guarded(request: HttpRequest) -> HttpResponse:
        # Behind a proxy this would be the proxy's address: let the proxy refuse the paths there.
        if request.META.get("REMOTE_ADDR") not in {"127.0.0.1", "::1"}:
            raise Http404
        return await view(request)

    return guarded
