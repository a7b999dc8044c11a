"""The two pages of the demo: login and chat."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
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
