"""Content is cleaned by bleach; the way around it changes nothing."""

import bleach
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gql_chat.sanitize import ATTRIBUTES, PROTOCOLS, TAGS, clean


def by_bleach(content: str) -> str:
    return bleach.clean(content, tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True)


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


@given(content=MARKUP)
@settings(deadline=None)
def test_cleaning_twice_changes_nothing_more(content: str) -> None:
    assert clean(clean(content)) == clean(content)


@pytest.mark.parametrize(
    ("content", "cleaned"),
    [
        ("plain", "plain"),
        ("<b>bold</b> <i>i</i> <strong>s</strong> <em>e</em>", None),
        ("<p>p</p><ul><li>u</li></ul><ol><li>o</li></ol>", None),
        ("a<br>b", None),
        ('<a href="https://x.test" title="t" target="_blank">x</a>', None),
        ('<a href="mailto:a@x.test">x</a>', None),
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
def test_the_allowed_markup_stays_and_the_rest_goes(content: str, cleaned: str | None) -> None:
    assert clean(content) == (content if cleaned is None else cleaned)
