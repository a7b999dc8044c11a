"""URLs of the test project."""

from django.contrib import admin
from django.urls import include, path

from gql_chat.endpoint import ChatGraphQLView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("chat/graphql/", ChatGraphQLView.as_view()),
    path("monitoring/", include("event_bridge.urls")),
]
