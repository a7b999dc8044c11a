"""Rules for the attributes of markup: which values stay, and where links may lead.

They hold for both sanitisers. Values come here as a browser has them, with entities decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

REL = "noopener noreferrer nofollow"
"""The `rel` of every link: the page behind it gets no hold of this one, and no credit from it."""

LINKS = frozenset(["a", "area"])
"""The tags that are links where they have an `href`."""

# Other attributes that a browser reads as a URL: projects may allow more than the package does.
# fmt: off
_URLS = frozenset([
    "action", "background", "cite", "classid", "codebase", "data", "dynsrc", "formaction", "icon",
    "longdesc", "lowsrc", "manifest", "ping", "poster", "profile", "src", "usemap",
])
# Several URLs, with commas between them and a description after each.
_SETS_OF_URLS = frozenset(["archive", "imagesrcset", "srcset"])
# fmt: on

# By https://url.spec.whatwg.org a browser drops these wherever they stand in a URL, ...
_DROPPED = str.maketrans("", "", "\t\n\r")
# ... and control characters and spaces at both ends.
_ENDS = "".join(map(chr, range(0x21)))

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# The schemes after which a browser reads a host. Without two slashes, `https:x` is a path on a page
# under https, and a host on any other.
_WITH_HOST = frozenset(["http", "https", "ftp", "ws", "wss"])
_SLASHES = re.compile(r"[/\\]{2}")
# A relative reference has no colon in its first segment (RFC 3986, 4.2). A laxer reader than a
# browser could take what stands before a colon there for a scheme.
_COLON = re.compile(r"[^/?#\\]*:")


def is_link(value: str, protocols: Iterable[str], *, relative: bool) -> bool:
    """Tell whether a link may lead where a browser would follow it.

    Args:
        value: the link, with entities decoded.
        protocols: the schemes that it may have, in lower case.
        relative: whether it may stay on the page's own site: a path, a query or a fragment. A link
            to another host without a scheme (`//host`) is no such link.
    """
    seen = value.translate(_DROPPED).strip(_ENDS)
    found = _SCHEME.match(seen)
    if found is not None:
        scheme = found[1].lower()
        if scheme not in protocols:
            return False
        return scheme not in _WITH_HOST or _SLASHES.match(seen, found.end()) is not None
    return relative and not _COLON.match(seen) and not _SLASHES.match(seen)


@dataclass(frozen=True)
class Rules:
    """What may stay of a text's markup.

    Attributes:
        tags: the elements.
        attributes: the attributes, by tag, or `*`, as bleach takes them.
        protocols: the schemes of links, in lower case.
        relative: whether links may be relative.
        prefix: what each `id` and each name of a `class` begins with; None drops them.
    """

    tags: frozenset[str]
    attributes: Any
    protocols: frozenset[str]
    relative: bool = False
    prefix: str | None = ""

    def keep(self, name: str, value: str) -> str | None:
        """Return the value that an allowed attribute gets, or None where the attribute goes.

        A value that was returned stays as it is when it is given again.

        Args:
            name: the attribute's name.
            value: its value, with entities decoded.
        """
        if name == "href":
            return value if is_link(value, self.protocols, relative=self.relative) else None
        if name == "target":
            return "_blank" if value.lower() == "_blank" else None
        if name in ("id", "class"):
            return self._name(name, value)
        if name in _URLS:
            return value if self._may_load(value) else None
        if name in _SETS_OF_URLS:
            return value if all(map(self._may_load, value.split(","))) else None
        return value

    def _name(self, name: str, value: str) -> str | None:
        if not self.prefix:
            return value if self.prefix is not None else None
        names = value.split() if name == "class" else [value]
        prefix = self.prefix
        named = (each if each.startswith(prefix) else prefix + each for each in names if each)
        return " ".join(named) or None

    def _may_load(self, value: str) -> bool:
        return not _COLON.match(value.translate(_DROPPED).strip(_ENDS)) or is_link(
            value, self.protocols, relative=False
        )
