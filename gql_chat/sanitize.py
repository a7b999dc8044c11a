"""Cleans what people write, so that a page may show it as HTML."""

from __future__ import annotations

import re
from functools import cache

import bleach

TAGS = frozenset(["b", "i", "strong", "em", "a", "span", "p", "ul", "ol", "li", "br"])
ATTRIBUTES = {"a": ["href", "title", "target"], "*": ["class", "id"]}
PROTOCOLS = frozenset(["http", "https", "mailto"])

# Text with neither markup nor control characters has nothing that the cleaner would change.
_SUSPECT = re.compile(r"[<>&\x00-\x08\x0b-\x1f]")


@cache
def _cleaner() -> bleach.Cleaner:
    return bleach.Cleaner(tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True)


def clean(content: str) -> str:
    """Return `content` with the allowed tags only; other tags go, their text stays."""
    if _SUSPECT.search(content) is None:
        return content
    cleaned: str = _cleaner().clean(content)
    return cleaned
