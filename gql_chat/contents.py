"""Contents: the text of a message is cleaned before the operation that stores it."""

from __future__ import annotations

from collections.abc import Callable


class Contents:
    """The cleaned text, or the error, of the content that was cleaned last.

    Cleaning may take long, and an operation holds locks. So the content is cleaned before the
    operation. Its error is kept until the operation comes to the content, after the checks that
    go first. An operation that runs a second time finds the same.
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, str | Exception] = {}

    def clean(self, content: str, sanitize: Callable[[str], str]) -> None:
        """Clean a content, unless that was done; keep the error, if there is one.

        Args:
            content: the text as the user wrote it.
            sanitize: returns the text to store.
        """
        if content not in self._outcomes:
            outcome: str | Exception
            try:
                outcome = sanitize(content)
            except Exception as error:
                outcome = error
            self._outcomes = {content: outcome}  # the content before is stored or refused by now

    def find(self, content: str) -> str | None:
        """Return the text to store of a content; None if it was not cleaned.

        Raises:
            Exception: the error of cleaning it.
        """
        outcome = self._outcomes.get(content)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
