"""Hooks: a project's code that runs after a commit. Its errors are logged, and change nothing.

Django logs them with their texts, which may quote a message (`gql_chat.failures`). So they are
caught before Django sees them. While a signal is sent here, the records of Django's logger about
its receivers are dropped, and logged anew. That logger's name is documented nowhere:
`tests/unit/streams/test_hooks.py` notices if it is another one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.dispatch import Signal

from ..failures import bare

logger = logging.getLogger("gql_chat")

_sending: ContextVar[bool] = ContextVar("gql_chat_sending", default=False)


class LoneHook:
    """An `on_commit` hook that fails by itself.

    Args:
        hook: the hook.
    """

    def __init__(self, hook: Callable[[], object]) -> None:
        self._hook = hook

    def __call__(self) -> None:
        """Run the hook; log its error."""
        try:
            self._hook()
        except Exception as error:
            said = "A hook failed that ran after a commit: %s."
            logger.error(said, _name_of(self._hook), exc_info=bare(error))


def send_to_each(signal: Signal, sender: Any, **named: Any) -> None:
    """Send a signal to all of its receivers; log the errors of those that fail."""
    token = _sending.set(True)
    try:
        answers = signal.send_robust(sender, **named)
    finally:
        _sending.reset(token)
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            said = "A receiver of a signal failed: %s."
            logger.error(said, _name_of(receiver), exc_info=bare(answer))


class _Unsaid(logging.Filter):
    """Leaves out what Django says of receivers that fail, while `send_to_each` sends."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is logged."""
        return not _sending.get()


logging.getLogger("django.dispatch").addFilter(_Unsaid())


def _name_of(function: Any) -> str:
    """Return where a function is defined; of one with arguments at hand, that one."""
    function = getattr(function, "func", function)
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '?')}.{name}"
