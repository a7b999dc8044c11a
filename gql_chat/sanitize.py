"""Cleaning of texts that users write, so that a page may show them as HTML.

bleach uses html5lib's parser, whose time is not linear: it opens an `<i>` again in each `<li>` that
follows, searches all open elements, and compares each attribute with those before it. So the parser
here counts its work, and refuses a text that makes more than any honest text would.

Each text gets a new cleaner. A `bleach.Cleaner` is not for two threads at once; a new one costs
less than a tenth of a millisecond, and keeps nothing of a refused text.

Where `SANITIZER` is "nh3", texts that make little work go to ammonia instead (`ammonia`). Both
have the same rules for attributes (`attributes`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import bleach
from bleach import html5lib_shim

from . import ammonia
from .attributes import LINKS, REL, Rules
from .conf import chat_settings
from .errors import Invalid

TAGS = frozenset(["b", "i", "strong", "em", "a", "span", "p", "ul", "ol", "li", "br"])
ATTRIBUTES = {"a": ["href", "title", "target"], "*": ["class", "id"]}
PROTOCOLS = frozenset(["http", "https", "mailto"])

MARKUP_LIMIT = 50_000
"""How long a text with markup may be at most, even if `MAX_MESSAGE_LENGTH` allows more.

The parser here does not count all work of html5lib, which searches each element among its siblings.
Up to this length that is little: no text of the default length takes a tenth of a second, and none
of this length a second.
"""

MAX_DEPTH = 100
"""How many elements may be open at once. A dozen lists within each other are two dozen."""

MAX_REOPENED = 32
"""How many open `<b>`, `<i>` and the like there may be: each paragraph opens them again."""

WORK = 200
"""How much work is allowed for each character. A short text may make that of 10,000 characters."""

ELEMENT_WORK = 600
"""The work of making an element. To compare two attributes, or to copy a character of one, is 1."""

ROUNDS = 5
"""How often ammonia may read its own output, until nothing changes. It also reads tags that do not
stay, so the rest may read otherwise: the second of `<p><table><p>` was within the first."""

# The cleaner changes nothing in a text without markup and control characters.
_SUSPECT = re.compile(r"[<>&\x00-\x08\x0b-\x1f]")

# Python refuses to read so long a number, and bleach takes it apart digit by digit. No character
# has such a number, so the text is shown as it was written.
_NO_CHARACTER = re.compile(r"&(?=#[xX]?[0-9a-fA-F]{33})")


def needs_cleaning(content: str) -> bool:
    """Return whether a content is more than plain text, so that cleaning may change it."""
    return _SUSPECT.search(content) is not None


def clean(
    content: str,
    *,
    tags: Iterable[str] = TAGS,
    attributes: Any = ATTRIBUTES,
    protocols: Iterable[str] = PROTOCOLS,
) -> str:
    """Return `content` with the allowed tags only; other tags go, their text stays.

    Links lead to `protocols` only, by the scheme that a browser would see, and have a `rel`. The
    settings `SANITIZER`, `RELATIVE_LINKS` and `ID_AND_CLASS_PREFIX` say the rest.

    Args:
        content: the text as the user wrote it.
        tags: the tags that stay.
        attributes: the attributes that stay, by tag, or `*`, as bleach takes them.
        protocols: the protocols that links may have.

    Raises:
        Invalid: the markup would take too much work; the detail names `content`.
        ImproperlyConfigured: `SANITIZER` names a package that is not installed.
    """
    if not needs_cleaning(content):
        return content
    if len(content) > MARKUP_LIMIT:
        raise Invalid(
            {"content": f"At most {MARKUP_LIMIT} characters are allowed of a text with markup."}
        )
    rules = Rules(
        frozenset(tags),
        attributes,
        frozenset(protocols),
        relative=chat_settings.RELATIVE_LINKS,
        prefix=chat_settings.ID_AND_CLASS_PREFIX,
    )
    if chat_settings.SANITIZER == "nh3":
        named = ammonia.find_attributes(rules)
        if named is not None:
            return _clean_by_ammonia(content, rules, named)
    return _clean_by_bleach(content, rules)


def _clean_by_ammonia(content: str, rules: Rules, attributes: dict[str, set[str]]) -> str:
    for _ in range(ROUNDS):
        cleaned = ammonia.clean(content, rules, attributes, max_depth=MAX_DEPTH)
        if cleaned is None:
            cleaned = _clean_by_bleach(content, rules)
            if not ammonia.takes(cleaned):
                return cleaned
        if cleaned == content or not needs_cleaning(cleaned):
            return cleaned
        content = cleaned
    raise Invalid({"content": "The markup is too complex."})


def _clean_by_bleach(content: str, rules: Rules) -> str:
    # A filter is called with the tokens and yields them: it need not be html5lib's class.
    filters: list[Any] = [partial(_filter_attributes, rules)]
    cleaner = bleach.Cleaner(
        tags=rules.tags,
        attributes=rules.attributes,
        protocols=rules.protocols,
        strip=True,
        filters=filters,
    )
    # Private API of bleach: it parses with `Cleaner.parser`, which only its type stubs name.
    # tests/unit/test_sanitize.py fails if bleach does not use it any more.
    cleaner.parser = _Parser(rules.tags, len(content))
    cleaned: str = cleaner.clean(_NO_CHARACTER.sub("&amp;", content))
    return cleaned


def _read(value: str) -> str:
    """Return an attribute's value as a browser reads it from bleach's output.

    bleach keeps entities as they were written, and escapes each `&` that begins none. Its
    `match_entity` and `convert_entity` say which do. A browser reads some numbers otherwise
    (`&#x80;` is a euro sign).
    """
    if "&" not in value:
        return value
    parts = []
    for part in html5lib_shim.next_possible_entity(value):
        entity = html5lib_shim.match_entity(part) if part.startswith("&") else None
        character = None if entity is None else html5lib_shim.convert_entity(entity)
        if entity is None or character is None:
            parts.append(part)
        else:
            # Python makes nothing of the number of a control character, a browser the character.
            parts += html.unescape(f"&{entity};") or character, part[len(entity) + 2 :]
    return "".join(parts)


def _filter_attributes(rules: Rules, source: Iterable[Any]) -> Iterator[Any]:
    """Yield the tokens of bleach's own filter, with the attributes that the rules keep."""
    for token in source:
        if token["type"] in ("StartTag", "EmptyTag") and token["data"]:
            token["data"] = _keep(rules, token["name"], token["data"])
        yield token


_Attributes = dict[tuple[str | None, str], str]


def _keep(rules: Rules, tag: str, attributes: _Attributes) -> _Attributes:
    kept: _Attributes = {}
    for (namespace, name), written in attributes.items():
        value = _read(written)
        keep = rules.keep(name, value)
        if keep is not None:
            # An unchanged value stays as it was written, entities and all. Around a value with `"`
            # bleach writes `'`, and then escapes each `&` in it, also that of an entity.
            given = written if keep == value else keep.replace("&", "&amp;")
            kept[namespace, name] = given.replace('"', "&quot;")
    if tag in LINKS and (None, "href") in kept:
        kept.pop((None, "rel"), None)
        kept[None, "rel"] = REL
    return kept


# html5lib and bleach keep what they make at first in dicts that threads would share while they are
# filled: they are filled here, on import.
_Element: Any = bleach.Cleaner().parser.tree.elementClass


class _Parser(html5lib_shim.BleachHTMLParser):
    """bleach's parser, which refuses a text that makes too much work.

    It relies on html5lib's names: `tree.elementClass` makes each element, the parser searches
    `tree.openElements` and `tree.activeFormattingElements`, and `tokenizer.attributeNameState`
    compares an attribute with those before it. bleach carries a copy of html5lib that is not
    developed further.

    Args:
        tags: the tags that stay.
        length: the length of the text.
    """

    def __init__(self, tags: Iterable[str], length: int) -> None:
        super().__init__(tags=tags, strip=True, consume_entities=False, namespaceHTMLElements=False)
        self.work = 0
        self.made = 0
        self._most = WORK * max(length, 10_000)
        self.tree: Any
        self.tree.elementClass = partial(_CountedElement, self)

    def count(self, work: int) -> None:
        """Count work that is about to be done.

        Raises:
            Invalid: it is too much.
        """
        self.work += work
        if self.work > self._most:
            raise Invalid({"content": "The markup is too complex."})

    def count_element(self) -> None:
        """Count an element that is about to be made.

        Raises:
            Invalid: it is one too many.
        """
        self.made += 1
        self.count(ELEMENT_WORK)
        if len(self.tree.openElements) > MAX_DEPTH:
            raise Invalid({"content": "The markup is nested too deeply."})
        if len(self.tree.activeFormattingElements) > MAX_REOPENED:
            raise Invalid({"content": "Too many tags such as <b> and <i> are not closed."})

    def mainLoop(self) -> None:  # noqa: N802
        """Read the text; each attribute counts those before it in its tag."""
        tokenizer: Any = self.tokenizer
        read = tokenizer.attributeNameState
        counted = None

        def read_attribute_name() -> Any:
            nonlocal counted
            attributes = tokenizer.currentToken["data"]
            if attributes[-1] is not counted:  # called again for each letter that is not ASCII
                counted = attributes[-1]
                self.count(len(attributes))
            return read()

        tokenizer.attributeNameState = read_attribute_name
        super().mainLoop()

    def parseError(self, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """Note nothing: nobody needs an error's position, and its search is not linear."""


class _CountedElement(_Element):  # type: ignore[misc]
    """An element that is counted where it is made, by a tag or as a copy."""

    def __init__(self, parser: _Parser, *args: Any) -> None:
        parser.count_element()
        super().__init__(*args)
        self._parser = parser

    def removeChild(self, node: Any) -> None:  # noqa: N802
        """Remove a child; html5lib searches it among all children."""
        self._parser.count(len(self.childNodes))
        super().removeChild(node)

    def insertBefore(self, node: Any, sibling: Any) -> None:  # noqa: N802
        """Insert a child before another; html5lib searches that one among all children."""
        self._parser.count(len(self.childNodes))
        super().insertBefore(node, sibling)

    def cloneNode(self) -> _CountedElement:  # noqa: N802
        """Return a copy without children. Its attributes count: bleach cleans them again."""
        self._parser.count(sum(map(len, self.attributes.values())))
        copy = type(self)(self._parser, self.name, self.namespace)
        copy.attributes = dict(self.attributes)
        return copy
