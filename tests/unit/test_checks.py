"""System checks: what chat needs of a project's other settings, and has not got."""

import sys
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage, Warning, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db.migrations.recorder import MigrationRecorder
from django.test import modify_settings, override_settings
from guardian.backends import ObjectPermissionBackend

from gql_chat.sanitize import clean

RUNS_ON = settings.CHANNEL_LAYERS


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


def problems(*, deploy: bool = False) -> list[CheckMessage]:
    return run_checks(tags=["gql_chat", "event_bridge"], include_deployment_checks=deploy)


def test_a_sanitizer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nh3", None)  # as Python notes what is not there

    with chat(SANITIZER="nh3"):
        (problem,) = problems()
        assert (problem.id, bool(problem.hint)) == ("gql_chat.E003", True)
        assert "REALTIME_CHAT_MESSAGING['SANITIZER'] is 'nh3'" in problem.msg
        assert "django-realtime-chat-messaging[nh3]" in problem.msg
        with pytest.raises(ImproperlyConfigured, match="not installed"):
            clean("<b>x</b>")
    with chat(SANITIZER="bleach"):
        assert problems() == []


def without_guardian(name: str) -> list[str]:
    return [entry for entry in getattr(settings, name) if not entry.startswith("guardian")]


def test_a_missing_backend_of_guardians_is_a_warning() -> None:
    backends = without_guardian("AUTHENTICATION_BACKENDS")
    with override_settings(AUTHENTICATION_BACKENDS=backends):
        (problem,) = problems()

    assert problem.id == "gql_chat.W001"
    assert repr(backends) in problem.msg
    assert "guardian.backends.ObjectPermissionBackend" in str(problem.hint)


def test_a_subclass_of_guardians_backend_will_do() -> None:
    with override_settings(
        AUTHENTICATION_BACKENDS=["nowhere.Backend", f"{__name__}.{OwnBackend.__name__}"]
    ):
        assert problems() == []


class OwnBackend(ObjectPermissionBackend):
    """A project's own."""


@pytest.mark.parametrize("layers", [{}, {"other": {}}])
def test_a_missing_channel_layer_is_a_warning(layers: Any) -> None:
    with override_settings(CHANNEL_LAYERS=layers):
        (problem,) = problems()

    assert problem.id == "gql_chat.W002"
    assert "CHANNEL_LAYERS" in problem.msg
    assert problem.hint


def test_times_without_a_zone_are_an_error() -> None:
    with override_settings(USE_TZ=False):
        (problem,) = problems()

    assert (problem.id, problem.msg) == ("gql_chat.E006", "USE_TZ is False.")


def test_without_guardian_the_project_is_told_so() -> None:
    with modify_settings(INSTALLED_APPS={"remove": ["guardian"]}):
        ids = [problem.id for problem in problems()]

    assert ids == ["gql_chat.E005"]


def test_a_layer_that_does_not_import_is_named_without_its_passwords() -> None:
    for path in ("nowhere.Layer", "channels.layers.Nothing", "Layer", None):
        layer = {"BACKEND": path, "CONFIG": {"hosts": ["redis://:secret@redis:6379"]}}
        with override_settings(CHANNEL_LAYERS={"default": layer}):
            (problem,) = problems()

        assert problem.id == "gql_chat.E007"
        assert repr(path) in problem.msg
        assert "secret" not in f"{problem.msg} {problem.hint}"


@pytest.mark.parametrize(
    "value",
    ["*", None, {}, [1], ["chat.test"], ["https://chat.test/"], ["https://Chat.test"], ["https:"]],
)
def test_an_origin_is_as_browsers_send_it(value: Any) -> None:
    with chat(ALLOWED_ORIGINS=value):
        (problem,) = problems()

    assert problem.id == "gql_chat.E004"
    assert "'ALLOWED_ORIGINS'" in problem.msg
    right = ["*", "null", "file://", "capacitor://localhost", "https://chat.test:8443"]
    with chat(ALLOWED_ORIGINS=right):
        assert problems() == []


# Deployment


@pytest.fixture
def deployed(db: None, settings: Any) -> Any:
    """The settings of a deployment of which nothing is said."""
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["chat.test"]
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.{Layer.__name__}"}}
    settings.REALTIME_CHAT_MESSAGING = {}
    return settings


class Layer:
    """A layer between processes."""

    async def group_send(self, group: str, message: Any) -> None:
        """Take a message."""


def the_warning() -> CheckMessage:
    """The only one of a deployment, which `check` without `--deploy` does not show."""
    assert problems() == []
    (problem,) = problems(deploy=True)
    assert isinstance(problem, Warning)
    assert problem.hint
    return problem


def test_a_deployment_of_which_nothing_is_said(deployed: Any) -> None:
    assert problems(deploy=True) == []


def test_any_host_is_a_warning(deployed: Any) -> None:
    deployed.ALLOWED_HOSTS = ["chat.test", "*"]

    assert the_warning().id == "gql_chat.W005"


def test_pages_of_every_site_are_a_warning(deployed: Any) -> None:
    deployed.REALTIME_CHAT_MESSAGING = {**deployed.REALTIME_CHAT_MESSAGING, "ALLOWED_ORIGINS": "*"}
    (problem,) = problems()
    assert problem.id == "gql_chat.E004"

    deployed.REALTIME_CHAT_MESSAGING = {
        **deployed.REALTIME_CHAT_MESSAGING,
        "ALLOWED_ORIGINS": ["*"],
    }
    warning = the_warning()
    assert warning.id == "gql_chat.W006"
    assert "ALLOWED_ORIGINS" in warning.msg


@pytest.mark.parametrize("name", ["USER_RATE_LIMIT", "ROOM_RATE_LIMIT"])
def test_a_rate_that_is_switched_off_is_a_warning(name: str, deployed: Any) -> None:
    deployed.REALTIME_CHAT_MESSAGING = {name: None}

    warning = the_warning()
    assert warning.id == "gql_chat.W007"
    assert f"'{name}'" in warning.msg


def test_a_project_without_rates_is_warned_of_each(deployed: Any) -> None:
    deployed.REALTIME_CHAT_MESSAGING = {
        "RATE_LIMIT": None,
        "ROOM_RATE_LIMIT": {"events": 9, "seconds": 9},
    }

    warning = the_warning()
    assert warning.id == "gql_chat.W007"
    assert "'USER_RATE_LIMIT'" in warning.msg


def test_settings_that_cannot_be_read_are_named_once(deployed: Any) -> None:
    deployed.REALTIME_CHAT_MESSAGING = {"NOTHING": 1}

    assert [problem.id for problem in problems(deploy=True)] == ["gql_chat.E001"]


def test_a_layer_that_ends_at_its_process_is_a_warning(deployed: Any) -> None:
    deployed.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

    assert the_warning().id == "gql_chat.W003"
    deployed.DEBUG = True
    assert problems(deploy=True) == []


@pytest.mark.parametrize("name", ["core.RedisChannelLayer", "pubsub.RedisPubSubChannelLayer"])
def test_a_layer_that_does_not_answer_is_a_warning(name: str, deployed: Any) -> None:
    path = f"channels_redis.{name}"
    hosts = ["redis://:secret@127.0.0.1:1"]  # where nothing listens
    deployed.CHANNEL_LAYERS = {"default": {"BACKEND": path, "CONFIG": {"hosts": hosts}}}

    warning = the_warning()
    assert warning.id == "gql_chat.W004"
    assert repr(path) in warning.msg
    assert "secret" not in warning.msg


def test_the_layer_of_the_run_answers(deployed: Any) -> None:
    deployed.CHANNEL_LAYERS = RUNS_ON

    ids = [problem.id for problem in problems(deploy=True)]
    in_memory = "InMemory" in RUNS_ON["default"]["BACKEND"]
    assert ids == (["gql_chat.W003"] if in_memory else [])


def test_migrations_that_have_not_run_are_a_warning(deployed: Any) -> None:
    applied = MigrationRecorder.Migration.objects.filter(app="gql_chat")
    last = applied.order_by("-id")[0]
    last.delete()

    warning = the_warning()
    assert warning.id == "gql_chat.W008"
    assert f"gql_chat.{last.name}" in warning.msg
    assert "migrate" in str(warning.hint)


def test_a_database_that_does_not_say_is_a_warning(deployed: Any) -> None:
    deployed.DATABASE_ROUTERS = [Nowhere()]

    assert the_warning().id == "gql_chat.W009"


class Nowhere:
    """Sends everything to a database that the project has not."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """Return its alias."""
        return "nowhere"
