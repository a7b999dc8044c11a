"""The settings of the test project, with what the environment gives for chat."""

import json
import os

from tests.site.settings import *  # noqa: F403
from tests.site.settings import INSTALLED_APPS as _APPS

REALTIME_CHAT_MESSAGING = json.loads(os.environ["CHAT_TEST_GIVEN"])
INSTALLED_APPS = [app for app in _APPS if app != os.environ.get("CHAT_TEST_WITHOUT")]
# Without the endpoint, which can be imported in a project with guardian only.
ROOT_URLCONF = "tests.projects.given_settings"
urlpatterns: list[str] = []
