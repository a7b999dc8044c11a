"""Contents that are cleaned before the operation that stores them."""

from __future__ import annotations

from collections.abc import Callable


class Contents:
    """What became of the content that was cleaned last.

    Cleaning may take long, and an operation holds locks. So contents are cleaned before it, and
    what is wrong with one is told where the operation comes to it: after what is checked first.
    An operation that runs a second time finds the same.
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, str | Exception] = {}

    def clean(self, content: str, sanitize: Callable[[str], str]) -> None:
        """Clean a content, unless that was done; an error is kept.

        Args:
            content: what somebody wrote.
            sanitize: returns what is stored of it.
        """
        if content not in self._outcomes:
            outcome: str | Exception
            try:
                outcome = sanitize(content)
            except Exception as error:
                outcome = error
            self._outcomes = {content: outcome}  # the one before is stored by now, or refused

    def find(self, content: str) -> str | None:
        """Return what is stored of a content; None where it was not cleaned.

        Raises:
            Exception: what cleaning it raised.
        """
        outcome = self._outcomes.get(content)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
