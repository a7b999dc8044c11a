"""A project's code that runs after a commit, and fails."""

from functools import partial
from typing import Any

import pytest
from django.dispatch import Signal

from gql_chat.streams.hooks import LoneHook, send_to_each

SECRET = "the launch is at dawn"


def fail(*_: Any, **named: Any) -> None:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize("hook", [fail, partial(fail, SECRET)])
def test_a_hook_that_fails_is_logged_by_its_name(
    hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    LoneHook(hook)()

    assert "A hook failed that ran after a commit: tests.unit.streams.test_hooks.fail." in (
        caplog.text
    )
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


def test_a_receiver_that_fails_is_logged_by_its_name_and_the_others_hear(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    signal, heard = Signal(), []

    def hear(**named: Any) -> None:
        heard.append(named["text"])

    signal.connect(fail)
    signal.connect(hear)
    send_to_each(signal, sender=None, text=SECRET)

    assert heard == [SECRET]
    # Of Django's own logger there is nothing, and of ours no text.
    assert [record.name for record in caplog.records] == ["gql_chat"]
    assert "A receiver of a signal failed: tests.unit.streams.test_hooks.fail." in caplog.text
    assert SECRET not in caplog.text


def test_what_django_says_of_other_signals_stays(caplog: pytest.LogCaptureFixture) -> None:
    signal = Signal()
    signal.connect(fail)

    signal.send_robust(None)

    assert [record.name for record in caplog.records] == ["django.dispatch"]
