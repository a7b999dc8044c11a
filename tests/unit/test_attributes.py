"""What attributes may hold: where links lead, and what names begin with."""

import html
import re

import pytest
from django.test import override_settings

from gql_chat.attributes import REL, Rules, is_link
from gql_chat.sanitize import ATTRIBUTES, PROTOCOLS, TAGS, clean

ABSOLUTE = (
    "http://x.test",
    "HTTPS://x.test/a?b=c#d",
    "https:\\\\x.test",
    "  https://x.test\n",
    "ht\ttps:/\n/x.test",
    "mailto:a@x.test",
    "MailTo:a@x.test?subject=b",
)
RELATIVE = ("", "path", "/path", "?a=b:c", "#a:b", "./a:b", "a/b:c", "a?https://x.test")
NEITHER = (
    "javascript:alert(1)",
    "javascript:0800 1",
    "javascript:`0800 1`",
    "JavaScript:1",
    "java\nscript:1",
    "\x01\x00 javascript:1",
    "java\x01script:1",
    "\xa0javascript:1",
    "java script:1",
    "vbscript:1",
    "data:text/html,1",
    "tel:112",
    "sms:112",
    "ftp://x.test",
    "file:///etc/passwd",
    "blob:https://x.test/1",
    "view-source:https://x.test",
    "x.test:80",
    "localhost:8000",
    ":x",
    "https:x.test",
    "https:/x.test",
    "http:",
    "//x.test",
    "\\\\x.test",
    "/\\x.test",
    "/\t/x.test",
    " //x.test",
)


@pytest.mark.parametrize("link", ABSOLUTE)
def test_a_link_may_have_a_scheme_that_is_allowed(link: str) -> None:
    assert is_link(link, PROTOCOLS, relative=False)
    assert is_link(link, PROTOCOLS, relative=True)


@pytest.mark.parametrize("link", RELATIVE)
def test_a_link_without_a_scheme_stays_where_a_project_says_so(link: str) -> None:
    assert not is_link(link, PROTOCOLS, relative=False)
    assert is_link(link, PROTOCOLS, relative=True)


@pytest.mark.parametrize("link", NEITHER)
def test_no_other_scheme_stays_and_no_other_host_without_one(link: str) -> None:
    assert not is_link(link, PROTOCOLS, relative=False)
    assert not is_link(link, PROTOCOLS, relative=True)


def test_a_project_may_have_schemes_of_its_own() -> None:
    assert is_link("tel:112", {"tel"}, relative=False)
    assert not is_link("https://x.test", {"tel"}, relative=False)


@pytest.mark.parametrize("sanitizer", ["bleach", "nh3"])
@pytest.mark.parametrize(
    "link", ["&#106;avascript:`0800 1`", "javascript&colon;0800 1", "tel:0", "x"]
)
def test_a_link_that_is_none_goes_and_the_rest_stays(link: str, sanitizer: str) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"SANITIZER": sanitizer}):
        assert clean(f'<a href="{link}" title="t">x</a>') == '<a title="t">x</a>'


@pytest.mark.parametrize("sanitizer", ["bleach", "nh3"])
@pytest.mark.parametrize("link", ["https&#58;//x.test/", "&#104;ttps://x.test/", "https://x.test/"])
def test_a_quote_in_a_link_hides_no_scheme(link: str, sanitizer: str) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"SANITIZER": sanitizer}):
        once = clean(f"<a href='{link}\"' title='\" &amp; &lt; b'>x</a>")
        href = re.search('href="([^"]*)"', once)
        assert href is not None
        assert html.unescape(href[1]) == 'https://x.test/"'
        assert 'title="&quot; &amp; &lt; b"' in once
        assert clean(once) == once


@pytest.mark.parametrize("sanitizer", ["bleach", "nh3"])
def test_relative_links_are_a_setting(sanitizer: str) -> None:
    given = {"SANITIZER": sanitizer, "RELATIVE_LINKS": True}
    with override_settings(REALTIME_CHAT_MESSAGING=given):
        assert clean('<a href="/rooms?a=b">x</a>') == f'<a href="/rooms?a=b" rel="{REL}">x</a>'
        assert clean('<a href="//x.test">x</a>') == "<a>x</a>"


@pytest.mark.parametrize("sanitizer", ["bleach", "nh3"])
@pytest.mark.parametrize(
    ("prefix", "cleaned"),
    [
        ("", '<b class="a chat-b" id="c">x</b>'),
        ("chat-", '<b class="chat-a chat-b" id="chat-c">x</b>'),
        (None, "<b>x</b>"),
    ],
)
def test_names_have_a_prefix_or_go(prefix: str | None, cleaned: str, sanitizer: str) -> None:
    given = {"SANITIZER": sanitizer, "ID_AND_CLASS_PREFIX": prefix}
    with override_settings(REALTIME_CHAT_MESSAGING=given):
        assert clean('<b class="a chat-b" id="c">x</b>') == cleaned


@pytest.mark.parametrize("sanitizer", ["bleach", "nh3"])
@pytest.mark.parametrize("space", ["&#32;", "&#9;", "&#x0A;", "&#x0c;", "\n"])
def test_no_space_hides_a_class_from_its_prefix(space: str, sanitizer: str) -> None:
    given = {"SANITIZER": sanitizer, "ID_AND_CLASS_PREFIX": "chat-"}
    with override_settings(REALTIME_CHAT_MESSAGING=given):
        cleaned = clean(f'<b class="chat-a{space}modal" id="">x</b>')
        assert cleaned == '<b class="chat-a chat-modal">x</b>'


def test_what_a_browser_would_load_has_a_scheme_that_is_allowed() -> None:
    rules = Rules(TAGS | {"img"}, {**ATTRIBUTES, "img": ["src"]}, PROTOCOLS)

    assert rules.keep("src", "/smile.png") == "/smile.png"
    assert rules.keep("src", "https://x.test/smile.png") == "https://x.test/smile.png"
    assert rules.keep("src", "javascript:`0800 1`") is None
    assert rules.keep("src", "data:image/svg+xml,x") is None
    for name in ("srcset", "imagesrcset"):
        assert rules.keep(name, "/a.png 1x, https://x.test/b.png 2x") is not None
        assert rules.keep(name, "/a.png 1x, javascript:1 2x") is None
