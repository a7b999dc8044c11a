"""Content is cleaned by bleach, or by ammonia, and with what comes out a page is safe."""

import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any

import bleach
import pytest
from django.test import override_settings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.cleaning import COUNTS, HOSTILE, build
from gql_chat import ammonia
from gql_chat.attributes import REL, Rules
from gql_chat.errors import Invalid
from gql_chat.sanitize import (
    ATTRIBUTES,
    ELEMENT_WORK,
    MARKUP_LIMIT,
    PROTOCOLS,
    TAGS,
    _Parser,
    clean,
    needs_cleaning,
)
from tests.timing import PATIENCE

SANITIZERS = ("bleach", "nh3")


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


@pytest.fixture(params=SANITIZERS)
def sanitizer(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs with each of them."""
    with chat(SANITIZER=request.param):
        yield request.param


def by_bleach(content: str) -> str:
    """What bleach leaves; of links, those that it is asked for here lead to https, or are empty."""
    cleaned = bleach.clean(
        content, tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True
    )
    cleaned = re.sub(r'(<a\b[^>]*?) href="(?!https:)[^"]*"', r"\1", cleaned)
    return re.sub(r'(<a href="https:[^>]*)>', rf'\1 rel="{REL}">', cleaned)


MARKUP = st.lists(
    st.sampled_from(
        [
            *(f"<{tag}>" for tag in ("b", "p", "a", "script", "img", "div", "BR")),
            *(f"</{tag}>" for tag in ("b", "p", "a", "script", "i")),
            "<a href='https://x.test'>",
            "<a href=javascript:alert(1)>",
            "<span class=x onclick=y>",
            "&amp;",
            "&lt;",
            "&#0;",
            "<!-- x -->",
            "<",
            ">",
            "&",
            '"',
            "text",
            " ",
            "\n",
        ]
    )
    | st.text(max_size=3)
).map("".join)


@given(content=st.text() | MARKUP)
@example("\r\n")
@example("\r")
@example("\x0c")
@example("\x0b")
@example("\x1b")
@example("\x7f")
@example("\x85")
@example("\ufeff")
@example("\ufdd0\uffff")
@example("\U0010ffff")
@example("\ud800")
@example("'\"`=/\\")
@settings(deadline=None, max_examples=500)
def test_what_bleach_makes_of_it_is_what_is_stored(content: str) -> None:
    assert clean(content) == by_bleach(content)


ATTRIBUTE = st.sampled_from(
    [
        "href='https://x.test'",
        "href=x",
        "href='&#106;avascript:x'",
        "href=https&colon;//x&Tab;",
        "href",
        "class='a &#32; b&NewLine;c'",
        "class",
        "id='a b'",
        "id=&amp;lt;",
        "id=&lt",
        "target=_BLANK",
        "target=x",
        "title='<b>&quot;'",
        "rel=x",
        "onclick=x",
    ]
)
HARD = st.lists(
    ATTRIBUTE.map(lambda attribute: f"<a {attribute}>")
    | st.lists(ATTRIBUTE, max_size=3).map(lambda each: f"<A {' '.join(each)}>x")
    | st.sampled_from(["<table>", "<td>", "<tr>", "<select>", "<svg>", "<math>", "<template>"])
    | st.sampled_from(["<style>", "<title>", "<textarea>", "<p>", "</p>", "</table>", "</svg>"])
    | st.sampled_from(["<b class=x>", "</b>", "<ul>", "<li>", "<mtext>", "<!--", "-->", "\xa0"])
    | MARKUP
).map("".join)
PREFIXES = st.sampled_from(["", "chat-", None])


@pytest.mark.parametrize("name", SANITIZERS)
@given(content=MARKUP | HARD, prefix=PREFIXES, relative=st.booleans())
@example("<p><table><p>", "", False)
@example("<a id='x' id=y href=//x>&eacute;&#13;&#x80;", "chat-", True)
@settings(deadline=None)
def test_cleaning_twice_changes_nothing_more(
    name: str, content: str, prefix: str | None, relative: bool
) -> None:
    with chat(SANITIZER=name, ID_AND_CLASS_PREFIX=prefix, RELATIVE_LINKS=relative):
        try:
            cleaned = clean(content)
        except Invalid:
            return
        assert clean(cleaned) == cleaned


LINK = ("href", "title", "target", "rel")


class Reader(HTMLParser):
    """Reads what was cleaned, by another parser, and says of each tag whether it may stand there.

    Attributes:
        wrong: the tags that may not.
    """

    def __init__(self, prefix: str | None) -> None:
        super().__init__()
        self.wrong: list[Any] = []
        self._prefix = prefix

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        link = given.get("href")
        right = (
            tag in TAGS
            and given.keys()
            <= {"class", "id"} | ({"href", "title", "target", "rel"} & given.keys())
            and (tag == "a" or given.keys() <= {"class", "id"})
            and (link is None or re.match(r"\s*(https?://|mailto:)", link) is not None)
            and given.get("rel") == (None if link is None else REL)
            and given.get("target", "_blank") == "_blank"
            and (self._prefix is not None or not given.keys() & {"class", "id"})
            and all(
                each.startswith(self._prefix or "")
                for name in ("class", "id")
                for each in (given.get(name) or "").split()[: None if name == "class" else 1]
            )
        )
        if not right:
            self.wrong.append((tag, attrs))

    def handle_comment(self, data: str) -> None:
        self.wrong.append(data)


@pytest.mark.parametrize("name", SANITIZERS)
@given(content=MARKUP | HARD, prefix=PREFIXES)
@settings(deadline=None)
def test_nothing_but_what_is_allowed_comes_out(name: str, content: str, prefix: str | None) -> None:
    with chat(SANITIZER=name, ID_AND_CLASS_PREFIX=prefix):
        reader = Reader(prefix)
        try:
            reader.feed(clean(content))
        except Invalid:
            return
        reader.close()

    assert reader.wrong == []


@pytest.mark.parametrize(
    ("content", "cleaned"),
    [
        ("plain", "plain"),
        ("<b>bold</b> <i>i</i> <strong>s</strong> <em>e</em>", None),
        ("<p>p</p><ul><li>u</li></ul><ol><li>o</li></ol>", None),
        ("a<br>b", None),
        (f'<a href="https://x.test" title="t" target="_blank" rel="{REL}">x</a>', None),
        (f'<a href="mailto:a@x.test" rel="{REL}">x</a>', None),
        ('<a href="https://x.test">x</a>', f'<a href="https://x.test" rel="{REL}">x</a>'),
        ('<a rel="x" href="https://x.test">x</a>', f'<a href="https://x.test" rel="{REL}">x</a>'),
        ('<a rel="x" target="_top" title=" href=&lt;">x</a>', '<a title=" href=&lt;">x</a>'),
        ('<span class="c" id="i">x</span>', None),
        ("<script>alert(1)</script>", "alert(1)"),
        ("<div>text</div>", "text"),
        ('<img src="x" onerror="alert(1)">', ""),
        ('<a href="javascript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="ftp://x.test">x</a>', "<a>x</a>"),
        ('<b title="t" onclick="x" style="y">x</b>', "<b>x</b>"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("<!-- comment -->x", "x"),
    ],
)
def test_the_allowed_markup_stays_and_the_rest_goes(
    content: str, cleaned: str | None, sanitizer: str
) -> None:
    assert clean(content) == (content if cleaned is None else cleaned)


# Threads


def test_threads_that_clean_at_the_same_time_have_each_its_own_text(sanitizer: str) -> None:
    texts = [
        "".join(f"<p>{name * 40} <b>{number}</b> & so on</p>" for number in range(25))
        for name in ("ann", "bea", "cid", "dan", "eve", "fay", "gus", "hal")
    ]
    expected = [by_bleach(text) for text in texts]
    assert [clean(text) for text in texts] == expected
    assert min(map(len, texts)) > 3000
    begin = threading.Barrier(len(texts))

    def clean_often(place: int) -> int:
        begin.wait(PATIENCE)
        return sum(clean(texts[place]) != expected[place] for _ in range(50))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(len(texts)) as threads:
            wrong = list(threads.map(clean_often, range(len(texts))))
    finally:
        sys.setswitchinterval(interval)

    assert wrong == [0] * len(texts)


# Work


def calls_of(content: str) -> int:
    """Count the functions that cleaning a content calls: its work, by no clock."""
    calls = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        with suppress(Invalid):
            clean(content)
    finally:
        sys.setprofile(None)
    return calls


MOST_CALLS = 200
"""How many functions cleaning may call for each character."""


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup_makes_no_more_work_than_so_much_a_character(name: str, count: int) -> None:
    content = build(name, count)

    assert calls_of(content) <= MOST_CALLS * max(len(content), 100)


TAG = st.sampled_from(sorted(TAGS)) | st.sampled_from(["div", "script", "x", "svg"])
PIECE = (
    TAG.map(lambda tag: f"<{tag}>")
    | TAG.map(lambda tag: f"</{tag}>")
    | TAG.map(lambda tag: f"<{tag} id={{n}} a b>")
    | st.sampled_from(["x", " ", "&", "<", "&lt;", "<!-- -->", "<a href='&;'>", "\0", "<b <i>"])
)


@given(pieces=st.lists(PIECE, min_size=1, max_size=60))
@example(["<b>", "<ul>"])
@example(["</p>", "<b <i>", "<a id={n} a b>", "</b>"])
@settings(deadline=None, max_examples=60)
def test_no_markup_that_is_repeated_makes_more_work(pieces: list[str]) -> None:
    content, number = "", 0
    while len(content) < 5000:
        content += "".join(pieces).replace("{n}", str(number))
        number += 1

    assert calls_of(content) <= MOST_CALLS * len(content)


@given(pieces=st.lists(PIECE, max_size=300))
@settings(deadline=None, max_examples=100)
def test_the_parser_counts_each_element_that_it_makes(pieces: list[str]) -> None:
    content = "".join(pieces).replace("{n}", "1")
    parser = _Parser(TAGS, len(content))
    try:
        tree = parser.parseFragment(content)
    except Invalid:
        return

    # The root that the parser begins with is counted, and the fragment stands in its place.
    elements = [element for element in tree.iter() if isinstance(element.tag, str)]
    assert len(elements) <= parser.made
    assert parser.work >= parser.made * ELEMENT_WORK


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<span>" * 1000, "deep"),
        ("<ul><li>" * 100, "deep"),
        ("".join(f"<p><b id={number}>x" for number in range(40)), "not closed"),
        ("<b " + " ".join(chr(0x4E00 + number) for number in range(4000)) + ">", "complex"),
        (f"<p><i id={'x' * 4000}>" + "<p>x" * 1000, "complex"),
        ("<b>x</b>" + "x" * MARKUP_LIMIT, str(MARKUP_LIMIT)),
    ],
)
def test_markup_that_would_be_too_much_work_is_refused(content: str, problem: str) -> None:
    with pytest.raises(Invalid) as refusal:
        clean(content)

    assert isinstance(refusal.value.detail, dict)
    assert refusal.value.detail.keys() == {"content"}
    assert problem in refusal.value.detail["content"]


@pytest.mark.parametrize(
    "content",
    [
        "<p>x" * 2500,
        "<br>" * 2500,
        "<li>x</li>" * 1000,
        "<p><b>x</b> <i>y</i> <a href='https://x.test/?a=1&b=2'>z</a></p>\n" * 150,
        "<b><i>x</i></b>" * 600,
        "<ul><li>" * 12 + "x" + "</li></ul>" * 12,
        ("<ul><li>" * 12 + "x" + "</li></ul>" * 12) * 40,
        "<p style='margin: 0; font: Arial' class=MsoNormal lang=EN-US>x</p>" * 150,
        "<p><b>x<p><i>y" + "<p>z" * 500,
        "</b></i>x" * 1000,
        "5 <6 & 7> 4 " * 800,
        "a <b and " + " ".join(f"word{number}" for number in range(1200)),
        "x" * 200_000,
    ],
)
def test_what_honest_people_write_is_cleaned_as_bleach_does_it(content: str) -> None:
    assert clean(content) == by_bleach(content)


@pytest.mark.parametrize("reference", ["&#" + "1" * 5000 + ";", "&#x" + "f" * 5000 + ";"])
def test_a_number_that_no_character_has_is_text(reference: str) -> None:
    escaped = reference.replace("&", "&amp;")

    assert clean(reference) == escaped
    assert clean(f"<b id='{reference}'>x</b>") == f'<b id="{escaped}">x</b>'


def test_a_scheme_is_not_hidden_behind_zeros() -> None:
    hiding = "&#" + "0" * 40 + "106;avascript:alert(1)"

    assert clean(f"<a href='{hiding}'>x</a>") == "<a>x</a>"
    assert "&amp;#000" in clean(f"<a title='{hiding}'>x</a>")


def test_a_project_may_have_tags_of_its_own(sanitizer: str) -> None:
    own: dict[str, Any] = {"tags": {"pre", "code"}, "attributes": {"code": ["class"]}}

    assert clean("<pre><code class=py id=x>1</code> <b>2</b>", **own) == (
        '<pre><code class="py">1</code> 2</pre>'
    )
    with pytest.raises(Invalid, match="deep"):
        clean("<code>" * 1000, **own)


@pytest.mark.parametrize("name", HOSTILE)
def test_ammonia_gets_nothing_that_is_much_work(name: str) -> None:
    content = build(name, 10_000)

    assert not ammonia.takes(content) or content.count("<") < 100


RULES = Rules(TAGS, ATTRIBUTES, PROTOCOLS)
NAMED = ammonia.find_attributes(RULES)
REPEATED = PIECE | st.sampled_from(
    [
        "<table>",
        "<td>",
        "<font x=1>",
        "<nobr>",
        "<u>",
        "<svg>",
        "<marquee>",
        "</br>",
        "<a title={n}>",
    ]
)


@given(pieces=st.lists(REPEATED, min_size=1, max_size=12), times=st.integers(1, 60))
@example(["<p>", "<b id={n}>", "x"], 24)
@example(["<b>", "<p>", "</b>"], 60)
@example(["<a title={n}>", "<marquee>"], 30)
@settings(deadline=None)
def test_ammonia_makes_no_more_than_was_reckoned(pieces: list[str], times: int) -> None:
    content = "".join("".join(pieces).replace("{n}", str(number)) for number in range(times))
    assert NAMED is not None
    # Every element that it makes, also those that do not stay.
    every = {**NAMED, "*": {"class", "id"}}
    known = TAGS | {"table", "tbody", "tr", "td", "font", "nobr", "u", "svg", "marquee", "div", "x"}
    made = ammonia.load().clean(content, tags=known, clean_content_tags=set(), attributes=every)
    elements, characters = ammonia.most_work(content)

    assert len(re.findall("<[a-z]", made)) <= elements + 3
    assert sum(map(len, re.findall(r'(?:title|id)="([^"]*)"', made))) <= characters


def test_an_attribute_that_cannot_be_judged_is_no_reason_to_leave_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*given: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Rules, "keep", fail)
    for sanitizer in ("bleach", "nh3"):
        with (
            override_settings(REALTIME_CHAT_MESSAGING={"SANITIZER": sanitizer}),
            pytest.raises(MemoryError),
        ):
            clean('<a href="https://x.test">x</a>')


def test_only_what_ammonia_is_known_to_read_is_for_it() -> None:
    def find(tags: Any, attributes: Any) -> Any:
        return ammonia.find_attributes(Rules(frozenset(tags), attributes, PROTOCOLS))

    assert find(["b", "code"], ["class"]) == {"*": {"class"}}
    assert find(["b"], {}) == {}
    assert find(["b", "table"], {}) is None
    assert find(["b"], {"b": ["style"]}) is None
    assert find(["b"], lambda tag, name, value: True) is None
    assert find(["b"], {"b": lambda tag, name, value: True}) is None


# Plain text


@given(content=st.text(st.characters(exclude_characters="<>&")))
@settings(deadline=None, max_examples=300)
def test_plain_text_takes_no_parser(content: str) -> None:
    plain = not any(character < " " and character not in "\t\n" for character in content)

    assert needs_cleaning(content) is not plain
    if plain:
        assert by_bleach(content) == content


@pytest.mark.parametrize("end", ["x", "\n", "\ud800", "\U0010ffff", "\t"])
def test_plain_text_that_the_parser_would_read_in_pieces_takes_none_either(end: str) -> None:
    for length in (10_239, 10_240, 10_241):
        content = "x" * (length - 1) + end
        assert by_bleach(content * 2) == clean(content * 2) == content * 2
