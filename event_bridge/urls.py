"""The URLs of monitoring, for `include("event_bridge.urls")`."""

from django.urls import path

from . import monitoring

app_name = "chat"

urlpatterns = [
    path("metrics", monitoring.metrics, name="metrics"),
    path("health/live", monitoring.live, name="live"),
    path("health/ready", monitoring.ready, name="ready"),
]
