"""The pages: the chat page, login and logout, the admin, metrics and health."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path

from event_bridge import monitoring

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.DemoLoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("monitoring/metrics", views.local_only(monitoring.metrics)),
    path("monitoring/health/live", views.local_only(monitoring.live)),
    path("monitoring/health/ready", views.local_only(monitoring.ready)),
]
