"""System checks: what chat needs of a project's other settings, and has not got."""

import sys
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import modify_settings, override_settings
from guardian.backends import ObjectPermissionBackend

from gql_chat.sanitize import clean


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


def problems() -> list[CheckMessage]:
    return run_checks(tags=["gql_chat", "event_bridge"])


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
