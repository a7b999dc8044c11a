"""Threads share a cleaner, though bleach says that it is for one thread at a time."""

import sys
from typing import Any
from unittest.mock import patch

import bleach

from gql_chat.operations import EventHandler
from gql_chat.sanitize import ATTRIBUTES, PROTOCOLS, TAGS

#: Python lets another thread run so often: as it happens by itself under much more load.
OFTEN = 1e-5

_cleaner = bleach.Cleaner(tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True)


def bring_back() -> None:
    """Let every operation clean with the one cleaner, on its own thread."""

    def clean_content(self: Any, content: str, *, required: bool) -> str:
        found: str = _cleaner.clean(content)
        return found

    sys.setswitchinterval(OFTEN)
    patch.object(EventHandler, "clean_content", clean_content).start()
