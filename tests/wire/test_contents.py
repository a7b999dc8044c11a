"""What may stand in the content of a message, and what it is cleaned to."""

import pytest

from tests.conftest import Connect, Orm, Users
from tests.wire.messages import alone, edit, media
from tests.wire.rooms import (
    messages_of,
    one_to_one,
    people,
    say,
    stored,
)

ALLOWED_TAGS = ("b", "i", "strong", "em", "a", "span", "p", "ul", "ol", "li")
OTHER_TAGS = ("script", "style", "div", "h1", "u", "code", "table", "form", "iframe", "svg")
FORBIDDEN_LINKS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "&#106;avascript:alert(1)",
    "java&#10;script:alert(1)",
    "vbscript:x",
    "data:text/html,x",
    "ftp://example.com/",
    "file:///etc/passwd",
    "tel:+49-123",
    "tel:112",
    "sms:112",
    "javascript:`0800 1`",
    "&#x6a;avascript&colon;0800",
    "//example.com",
    "/path",
    "example.com",
)
REL = 'rel="noopener noreferrer nofollow"'
WITH_ATTRIBUTES = [
    f'<a href="https://example.com" title="there" target="_blank" {REL}>text</a>',
    *(f'<{tag} class="c" id="i">text</{tag}>' for tag in ALLOWED_TAGS),
]
LINKS = [
    f'<a href="{link}" {REL}>text</a>'
    for link in ("http://example.com/a?b=c", "https://example.com", "mailto:a@example.com")
]
OTHER_TEXTS = [
    "&lt;script&gt;",
    "line\nbreak\ttab",
    "  spaces  ",
    "\"quotes\" and 'more'",
    "žluťoučký 你好 👩‍👩‍👧 \u202eabc",
]

# What is sent, and what it is cleaned to.
CLEANED: dict[str, dict[str, str]] = {
    "allowed tags": {
        **{text: text for text in (f"<{tag}>text</{tag}>" for tag in ALLOWED_TAGS)},
        "one<br>two": "one<br>two",
        "<B>text</B>": "<b>text</b>",
        "<b>text": "<b>text</b>",
    },
    "other tags": {
        **{f"<{tag}>text</{tag}>": "text" for tag in OTHER_TAGS},
        'text<img src="x" onerror="alert(1)">': "text",
        "text<input autofocus onfocus=alert(1)>": "text",
        "te<!-- secret -->xt": "text",
        "<scr<script>ipt>text</script>": "ipt&gt;text",
    },
    "allowed attributes": {text: text for text in WITH_ATTRIBUTES},
    "other attributes of a": {
        f'<a {name}="x">text</a>': "<a>text</a>"
        for name in ("onclick", "style", "rel", "name", "data-x", "ping")
    },
    "other attributes": {
        f'<{tag} {name}="x">text</{tag}>': f"<{tag}>text</{tag}>"
        for tag in ("b", "p", "span", "li")
        for name in ("onmouseover", "style", "href", "title", "target")
    },
    "allowed links": {
        **{text: text for text in LINKS},
        **{text.replace(f" {REL}", ""): text for text in LINKS},
        f'<a href="https://example.com" target="_top" {REL}>text</a>': (
            f'<a href="https://example.com" {REL}>text</a>'
        ),
    },
    "other links": {f'<a href="{link}">text</a>': "<a>text</a>" for link in FORBIDDEN_LINKS},
    "text": {
        **{text: text for text in OTHER_TEXTS},
        "a < b": "a &lt; b",
        "you & me": "you &amp; me",
    },
}


@pytest.mark.parametrize("kind", CLEANED)
async def test_content_is_cleaned_when_it_is_sent_and_when_it_is_edited(
    kind: str, connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    other = await say(alice, room, "other")
    sent, edited = {}, {}

    for content in CLEANED[kind]:
        sent[content] = (await say(alice, room, content))["content"]
        edited[content] = (await edit(alice, other["id"], content))["message"]["content"]

    assert sent == CLEANED[kind]
    assert edited == CLEANED[kind]
    shown = [message["content"] for message in await messages_of(alice, room)]
    assert shown[::-1] == [list(edited.values())[-1], *sent.values()]


EMPTY = [
    "",
    " ",
    "\n\t ",
    "\u00a0\u2003",
    "<img src=x>",
    "<script></script>",
    "<!-- x -->",
    " <hr> ",
]


async def test_a_message_of_nothing_is_refused(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    before = stored(orm, room)

    for content in EMPTY:
        for extra_fields in ({}, {"parent_message_id": message["id"]}, {"media": []}):
            data = {"room_id": room["id"], "content": content, "extra_fields": extra_fields}
            assert "content" in await alice.refused(4003, "message.send", data), content
        data = {"action": "update", "message_id": message["id"]}
        data["extra_fields"] = {"content": content}
        assert "content" in await alice.refused(4003, "message.modify", data), content

    assert stored(orm, room) == before
    await bob.nothing()


async def test_with_media_or_a_forward_the_content_may_be_empty(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    hello = await say(alice, room, "hello")

    for content in EMPTY:
        for extra_fields in ({"media": [media()]}, {"forwarded_from_id": hello["id"]}):
            message = await say(alice, room, content, extra_fields=extra_fields)
            assert message["content"].strip() == "", content
            edited = await edit(alice, message["id"], content)
            assert edited["message"]["content"].strip() == "", content


async def test_content_may_be_missing_only_with_media_or_a_forward(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    hello = await say(alice, room, "hello")

    assert await alice.refused(4003, "message.send", {"room_id": room["id"]})
    for extra_fields in ({"media": [media()]}, {"forwarded_from_id": hello["id"]}):
        await alice.send("message.send", {"room_id": room["id"], "extra_fields": extra_fields})
        assert (await alice.expect("message.dispatch"))["content"] == ""


async def test_content_that_is_no_text_is_refused(connect: Connect, users: Users, orm: Orm) -> None:
    alice, room = await alone(connect, users)
    message = await say(alice, room, "hello")
    before = stored(orm, room)

    for content in (None, 5, True, 1.5, ["hello"], {"text": "hello"}):
        await alice.refused(4003, "message.send", {"room_id": room["id"], "content": content})
        data = {"action": "update", "message_id": message["id"]}
        data["extra_fields"] = {"content": content}
        await alice.refused(4003, "message.modify", data)

    assert stored(orm, room) == before
