"""Threads share a cleaner, though bleach says that it is for one thread at a time."""

from typing import Any

import bleach

from gql_chat.operations import EventHandler
from gql_chat.sanitize import ATTRIBUTES, PROTOCOLS, TAGS

_cleaner = bleach.Cleaner(tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True)


def bring_back() -> None:
    """Let every operation clean with the one cleaner, on its own thread."""

    def clean_content(self: Any, content: str, *, required: bool) -> str:
        found: str = _cleaner.clean(content)
        return found

    EventHandler.clean_content = clean_content  # type: ignore[method-assign]
