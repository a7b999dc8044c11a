"""``manage.py check`` in projects whose settings are wrong from the start."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.servers import ROOT


def check(given: Any, without: str = "") -> str:
    """What the command prints; it must refuse the project, and not break down."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.projects.given_settings",
        "CHAT_TEST_GIVEN": json.dumps(given),
        "CHAT_TEST_WITHOUT": without,
    }
    command = [sys.executable, "-m", "django", "check"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"MAX_PAGE_SIZES": 1}, ["gql_chat.E001", "'MAX_PAGE_SIZES'"]),
        ([], ["gql_chat.E001", "must be a dict, not list"]),
        ({"MODELS": []}, ["gql_chat.E001", "['MODELS'] must be a dict"]),
        (
            {"MODELS": {"Message": "shop.Message"}},
            ["gql_chat.E002", "['Message'] is 'shop.Message'", "INSTALLED_APPS"],
        ),
        ({"MODELS": {"Message": 5}}, ["gql_chat.E002", "['Message'] is 5"]),
        (
            {"MODELS": {"Reaction": "auth.Group"}},
            ["gql_chat.E002", "no subclass of gql_chat.models.AbstractReaction"],
        ),
        (
            {"MODELS": {"GroupChat": "auth.Group"}},
            ["gql_chat.E002", "no proxy of gql_chat.Room"],
        ),
        ({"MODELS": {"Room": "shop.Room"}}, ["gql_chat.E002", "models.ChannelMixin"]),
        ({"EVENT_MAPPER": "shop.events"}, ["event_bridge.E001", "'shop.events'"]),
    ],
    ids=str,
)
def test_a_wrong_setting_is_an_error_of_the_checks(given: Any, named: list[str]) -> None:
    printed = check(given)

    for text in named:
        assert text in printed


def test_a_project_without_guardian_is_told_to_add_it() -> None:
    assert "Add 'guardian'" in check({}, without="guardian")
