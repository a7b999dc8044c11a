"""Cleaning by ammonia, a Rust library that nh3 wraps: about four times as fast as bleach.

ammonia has no bound on its work, and its time is no more linear than that of bleach: a text of
10,000 characters took most of a second and became 3.5 MB, one of 50,000 nine seconds and 84 MB. So
each text is examined first, and bleach gets those that could make much work.
"""

from __future__ import annotations

import re
from types import ModuleType

from django.core.exceptions import ImproperlyConfigured

from .attributes import LINKS, REL, Rules
from .errors import Invalid

MAX_ELEMENTS = 20_000
"""How many elements a text may make at most; each takes up to five microseconds."""

WORK = 200
"""How many characters a character may become: for each text at least those of 10,000."""

ADOPTED = 33
"""How many elements a tag may make beside those that it opens again: what HTML calls the adoption
agency makes four, eight times, for an end tag such as `</b>`."""

# fmt: off
TAGS = frozenset([
    "a", "abbr", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "ins", "li", "mark", "ol", "p", "pre", "q", "s", "small", "span", "strong",
    "sub", "sup", "u", "ul",
])
# fmt: on
"""The tags that it may leave. Tables, forms, foreign content and raw text have parsing rules of
their own, which the examination does not know: a project that allows them has bleach."""

ATTRIBUTES = frozenset(["class", "dir", "href", "id", "lang", "target", "title"])
"""Likewise the attributes."""

# The elements that HTML opens again in each paragraph that follows, until they are closed.
_FORMATTING = re.compile(
    r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?![^\t\n\f\r />])(?P<plain>>)?",
    re.IGNORECASE,
)
# It opens at most three elements that are alike, so three of each of the fourteen without
# attributes.
_ALIKE = 3 * 14

# As ammonia writes them: no quote stands in a value.
_TAG = re.compile(r'<(?P<end>/?)(?P<name>[a-z][a-z0-9]*)(?P<rest>(?: [a-z]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' (?P<name>[a-z]+)="[^"]*"')
_EMPTY = frozenset(["br", "hr"])

# Characters that no text for people has. Both sanitisers make the same of them.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def load() -> ModuleType:
    """Import nh3.

    Raises:
        ImproperlyConfigured: it is not installed.
    """
    try:
        import nh3
    except ImportError as error:
        raise ImproperlyConfigured(
            "REALTIME_CHAT_MESSAGING['SANITIZER'] is 'nh3', which is not installed: "
            "pip install 'django-realtime-chat-messaging[nh3]'."
        ) from error
    return nh3


def find_attributes(rules: Rules) -> dict[str, set[str]] | None:
    """Return the attributes by tag, as nh3 takes them; None where the rules are not for it."""
    given = rules.attributes
    if isinstance(given, list):
        given = {"*": given}
    if not isinstance(given, dict) or any(callable(names) for names in given.values()):
        return None
    found = {tag: set(names) for tag, names in given.items() if names}
    if not rules.tags <= TAGS or not set().union(*found.values()) <= ATTRIBUTES:
        return None
    return found


def most_work(content: str) -> tuple[int, int]:
    """Return how many elements a text makes at most, and how many characters of attributes."""
    places = content.count("<")
    plain = attributed = 0
    for found in _FORMATTING.finditer(content):
        if found["plain"]:
            plain += 1
        else:
            attributed += 1
    elements = places * (min(plain, _ALIKE) + attributed + ADOPTED)
    return elements, places * len(content) if attributed else len(content)


def takes(content: str) -> bool:
    """Tell whether a text is for ammonia: it makes little work, whatever stands in it."""
    elements, characters = most_work(content)
    return elements <= MAX_ELEMENTS and characters <= WORK * max(len(content), 10_000)


def clean(
    content: str, rules: Rules, attributes: dict[str, set[str]], *, max_depth: int
) -> str | None:
    """Return what stays of a text; None where it is not for ammonia.

    Args:
        content: the text.
        rules: what may stay.
        attributes: the same, of `find_attributes`.
        max_depth: how many elements may be open at once.

    Raises:
        Invalid: more are.
    """
    if not takes(content):
        return None
    nh3 = load()
    failures: list[BaseException] = []

    def keep(tag: str, name: str, value: str) -> str | None:
        # nh3 leaves an attribute as it was if this raises, and only prints the error.
        try:
            return rules.keep(name, value)
        except BaseException as failure:
            failures.append(failure)
            return None

    try:
        cleaned: str = nh3.clean(
            content,
            tags=set(rules.tags),
            clean_content_tags=set(),
            attributes=attributes,
            attribute_filter=keep,
            # It would also be on an `<a>` that is no link.
            link_rel=None,
            url_schemes=set(rules.protocols),
        )
    except UnicodeEncodeError:  # half a surrogate pair
        return None
    if failures:
        raise failures[0]
    return _INVISIBLE.sub("?", _finish(cleaned, max_depth))


def _finish(cleaned: str, max_depth: int) -> str:
    """Give each link its `rel`, and see how deep the elements are."""
    depth = 0

    def finish(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag["end"]:
            depth -= 1
            return tag[0]
        if tag["name"] not in _EMPTY:
            depth += 1
            if depth > max_depth:
                raise Invalid({"content": "The markup is nested too deeply."})
        # Not every version of ammonia escapes these in values.
        rest = tag["rest"].replace("<", "&lt;").replace(">", "&gt;")
        names = {each["name"] for each in _ATTRIBUTE.finditer(rest)}
        if tag["name"] in LINKS and "href" in names:
            rest += f' rel="{REL}"'
        return f"<{tag['name']}{rest}>"

    return _TAG.sub(finish, cleaned)
