"""PROTOCOL 4, ``message.send``, ``message.modify`` and ``message.typing``."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from guardian.models import UserObjectPermission
from pytest_django import Settings

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    NOWHERE,
    ONE_TO_ONE,
    ROOM_TYPES,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    in_list,
    messages_of,
    modify,
    nobody_gets_anything,
    one_to_one,
    people,
    room_of_type,
    say,
    stored,
    wire_id,
)

USER_KEYS = {"id", "username", "email", "first_name", "last_name"}
MESSAGE_KEYS = {
    "id",
    "room",
    "sender",
    "content",
    "is_deleted",
    "is_edited",
    "is_forwarded",
    "forwarded_from",
    "parent_message",
    "delivered_to",
    "read_receipts",
    "reactions",
    "attachments",
    "created_at",
    "updated_at",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def configure(settings: Settings, **values: Any) -> None:
    """Set settings of the package, in this process and so for the server of `connect`."""
    present = getattr(settings, "REALTIME_CHAT_MESSAGING", {})
    settings.REALTIME_CHAT_MESSAGING = {**present, **values}


def media(**changes: Any) -> dict[str, Any]:
    """A media item with nothing wrong but the changes."""
    return {
        "media_url": "https://files.example.com/cat.png",
        "media_type": "image",
        "file_size": 1024,
        "mime_type": "image/png",
        "caption": "A cat",
        "metadata": {"width": 640, "tags": ["cat", None]},
        **changes,
    }


def nested(depth: int) -> dict[str, Any]:
    """An object in an object, and so on."""
    return {"in": nested(depth - 1)} if depth else {}


async def alone(connect: Connect, users: Users) -> tuple[Person, Room]:
    """Somebody in a group of their own: enough where only the answer matters."""
    (alice,) = await people(connect, users, "alice")
    return alice, await group(alice)


# What a message is, and who gets it


async def test_a_message_shows_what_the_protocol_names_and_nothing_else(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    message = await say(alice, room, "hello", bob)

    assert message.keys() == MESSAGE_KEYS
    assert message["room"] == {"id": room["id"]}
    assert message["sender"] == alice.shown
    assert message["content"] == "hello"
    flags = [message[name] for name in ("is_deleted", "is_edited", "is_forwarded")]
    assert flags == [False, False, False]
    assert message["forwarded_from"] is None
    assert message["parent_message"] is None
    lists = ("delivered_to", "read_receipts", "reactions", "attachments")
    assert [message[name] for name in lists] == [[], [], [], []]
    assert TIME.fullmatch(message["created_at"])
    assert TIME.fullmatch(message["updated_at"])


@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_a_message_reaches_every_socket_of_every_member_and_nobody_else(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol, stranger = await people(connect, users, "alice", "bob", "carol", "mallory")
    members = [bob] if room_type == ONE_TO_ONE else [bob, carol]
    room = await room_of_type(room_type, alice, *members)
    devices = [await another_socket(connect, person) for person in (alice, bob)]

    message = await say(alice, room, "to all of you", *members, *devices)

    assert message["content"] == "to all of you"
    others = [stranger] if carol in members else [stranger, carol]
    await nobody_gets_anything(alice, *members, *devices, *others)


async def test_messages_arrive_at_every_socket_in_the_same_order(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    for number in range(10):
        for sender in (alice, bob):
            data = {"room_id": room["id"], "content": f"{sender.name} {number}"}
            await sender.send("message.send", data)

    sent = [await everybody_gets("message.dispatch", alice, bob) for _ in range(20)]
    for sender in (alice, bob):
        mine = [each["content"] for each in sent if each["sender"]["id"] == sender.id]
        assert mine == [f"{sender.name} {number}" for number in range(10)]
    assert await messages_of(bob, room) == sent[::-1]


async def test_what_room_messages_shows_is_what_was_dispatched(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first = await say(alice, room, "first", bob)
    reply = await say(bob, room, "second", alice, extra_fields={"parent_message_id": first["id"]})
    forward = await say(alice, room, "", bob, extra_fields={"forwarded_from_id": reply["id"]})
    picture = await say(bob, room, "", alice, extra_fields={"media": [media()]})

    assert await messages_of(alice, room) == [picture, forward, reply, first]
    assert (await in_list(bob, room))["last_message"] == picture


async def test_extra_fields_may_be_missing_empty_or_null(connect: Connect, users: Users) -> None:
    alice, room = await alone(connect, users)
    nothing = {"parent_message_id": None, "forwarded_from_id": None, "media": None}

    for extra_fields in ({}, None, {"media": []}, nothing):
        message = await say(alice, room, "plain", extra_fields=extra_fields)
        assert message["attachments"] == []


async def test_the_same_text_twice_is_two_messages(connect: Connect, users: Users) -> None:
    alice, room = await alone(connect, users)

    first, second = await say(alice, room, "again"), await say(alice, room, "again")

    assert first["id"] != second["id"]
    assert await messages_of(alice, room) == [second, first]


# The content


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


# Media


MIME_TYPES = [
    *(f"image/{kind}" for kind in ("jpeg", "png", "gif", "webp", "bmp", "heic")),
    *(f"audio/{kind}" for kind in ("mpeg", "mp4", "aac", "ogg", "wav", "opus")),
    *(f"video/{kind}" for kind in ("mp4", "quicktime", "webm", "ogg", "x-msvideo", "x-matroska")),
    *(
        f"application/{kind}"
        for kind in (
            "pdf",
            "msword",
            "vnd.openxmlformats-officedocument.wordprocessingml.document",
            "vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "vnd.openxmlformats-officedocument.presentationml.presentation",
            "vnd.ms-excel",
            "vnd.ms-powerpoint",
        )
    ),
    "text/plain",
    "text/csv",
]


@pytest.mark.parametrize("media_type", ["image", "video", "audio", "file"])
async def test_media_of_every_type_hangs_on_the_message_in_its_order(
    media_type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    items = [media(media_type=media_type, mime_type=mime_type) for mime_type in MIME_TYPES]

    message = await say(alice, room, "look", bob, extra_fields={"media": items})

    attachments = message["attachments"]
    assert len({attachment["id"] for attachment in attachments}) == len(items)
    ids = [{"id": attachment["id"]} for attachment in attachments]
    assert attachments == [item | id for item, id in zip(items, ids, strict=True)]
    (shown,) = await messages_of(bob, room)
    assert shown["attachments"] == attachments


async def test_media_items_come_back_as_they_were_sent(connect: Connect, users: Users) -> None:
    alice, room = await alone(connect, users)
    items = [
        media(**changes)
        for changes in (
            {"media_url": "http://files.example.com/a?b=c#d"},
            {"media_url": "https://files.example.com:8443/ž/%20"},
            {"media_url": "https://files.example.com/" + "a" * 1974},
            {"file_size": 0},
            {"file_size": 2**40},
            {"caption": None},
            {"caption": ""},
            {"caption": "x" * 1024},
            {"caption": "Tom & Jerry <3 \n👍"},
            {"metadata": {}},
            {"metadata": {"nested": {"list": [1, 2.5, True, None, "x"]}}},
        )
    ]

    message = await say(alice, room, "the caption of it all", extra_fields={"media": items})

    assert message["content"] == "the caption of it all"
    attachments = message["attachments"]
    ids = [{"id": attachment["id"]} for attachment in attachments]
    assert attachments == [item | id for item, id in zip(items, ids, strict=True)]


async def test_a_caption_may_be_left_out(connect: Connect, users: Users) -> None:
    alice, room = await alone(connect, users)
    item = media()
    del item["caption"]

    message = await say(alice, room, "", extra_fields={"media": [item]})

    assert message["attachments"][0]["caption"] is None


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (
            "media_url",
            [
                None,
                5,
                "",
                "cat.png",
                "//example.com/cat.png",
                "javascript:alert(1)",
                "data:image/png;base64,AA",
                "ftp://example.com/cat.png",
                "file:///etc/passwd",
                "https://",
                "https://exa mple.com/",
                "https://example.com/\n",
                "https://example.com/" + "a" * 1981,
                "https://example.com/" + "a" * 2020,
                "https://example.com/" + "a" * 5000,
            ],
        ),
        ("media_type", [None, 1, "", "picture", "Image", "image "]),
        (
            "mime_type",
            [
                None,
                1,
                "",
                "png",
                "image/svg+xml",
                "text/html",
                "application/zip",
                "application/x-msdownload",
                "IMAGE/PNG",
                "image/png; q=1",
            ],
        ),
        ("file_size", [None, -1, 1.5, "1024", True, 2**63, 10**40]),
        ("caption", [5, [], "x" * 1025]),
        ("metadata", [None, "x", 1, [], [{}], {"a": 2**63}, nested(40)]),
    ],
)
async def test_a_wrong_field_of_a_media_item_is_named(
    field: str, values: list[Any], connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    before = stored(orm, room)

    for value in values:
        items = [media(), media(**{field: value}), media()]
        data = {"room_id": room["id"], "content": "look", "extra_fields": {"media": items}}
        detail = json.dumps(await alice.refused(4003, "message.send", data))
        assert field in detail, value
        assert "1" in detail, value

    assert stored(orm, room) == before
    await bob.nothing()


@pytest.mark.parametrize("field", ["media_url", "media_type", "mime_type"])
async def test_a_missing_field_of_a_media_item_is_named(
    field: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    before = stored(orm, room)
    item = media()
    del item[field]

    data = {"room_id": room["id"], "content": "look", "extra_fields": {"media": [item]}}
    assert field in json.dumps(await alice.refused(4003, "message.send", data))

    assert stored(orm, room) == before


async def test_media_that_is_no_list_of_items_is_refused(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    before = stored(orm, room)

    for items in ("cat.png", 1, ["cat.png"], [None], [[]], {"media_url": "x"}):
        data = {"room_id": room["id"], "content": "look", "extra_fields": {"media": items}}
        await alice.refused(4003, "message.send", data)

    assert stored(orm, room) == before


# Replies and forwards


async def test_a_reply_shows_what_it_answers(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    question = await say(alice, room, "when?", bob, extra_fields={"media": [media()]})

    reply = await say(bob, room, "now", alice, extra_fields={"parent_message_id": question["id"]})

    assert reply["parent_message"] == question
    assert reply["forwarded_from"] is None
    assert reply["is_forwarded"] is False


@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_a_forward_carries_a_message_into_another_room(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    here = await room_of_type(room_type, alice, bob)
    there = await room_of_type(room_type, alice, carol)
    news = await say(alice, here, "news", bob, extra_fields={"media": [media()]})

    forward = await say(
        alice, there, "read this", carol, extra_fields={"forwarded_from_id": news["id"]}
    )

    assert forward["forwarded_from"] == news
    assert forward["is_forwarded"] is True
    assert forward["parent_message"] is None
    assert forward["room"] == {"id": there["id"]}
    assert forward["content"] == "read this"
    assert forward["attachments"] == []
    assert await messages_of(carol, there) == [forward]
    await bob.nothing()


async def test_a_reply_and_a_forward_exclude_each_other(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    one, other = await say(alice, room, "one", bob), await say(alice, room, "other", bob)
    before = stored(orm, room)

    for forwarded in (one, other):
        both = {"parent_message_id": one["id"], "forwarded_from_id": forwarded["id"]}
        data = {"room_id": room["id"], "content": "both", "extra_fields": both}
        await bob.refused(4003, "message.send", data)

    assert stored(orm, room) == before
    await alice.nothing()


@pytest.mark.parametrize("field", ["parent_message_id", "forwarded_from_id"])
async def test_a_chain_of_quotes_does_not_grow_the_frame(
    field: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first = quoted = await say(alice, room, "0", bob)
    chain = []

    for number in range(1, 8):
        message = await say(alice, room, str(number), bob, extra_fields={field: quoted["id"]})
        name = field.removesuffix("_id")
        assert message[name]["content"] == str(number - 1)
        assert message[name].keys() == MESSAGE_KEYS
        assert message[name]["parent_message"] is None
        assert message[name]["forwarded_from"] is None
        chain.append(message)
        quoted = message

    # The flag of the first, which quotes nothing itself, may differ in length.
    sizes = {len(json.dumps(message)) for message in chain[1:]}
    assert len(sizes) == 1
    assert await messages_of(bob, room) == [*chain[::-1], first]


@pytest.mark.parametrize("field", ["parent_message_id", "forwarded_from_id"])
async def test_a_quoted_message_that_does_not_exist_is_not_found(
    field: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    before = stored(orm, room)

    data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: NOWHERE}}
    await alice.refused(4004, "message.send", data)

    assert stored(orm, room) == before


@pytest.mark.parametrize("field", ["parent_message_id", "forwarded_from_id"])
async def test_a_malformed_id_of_a_quoted_message_is_refused(
    field: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    before = stored(orm, room)

    for value in ("", "x", 1, True, [], {}, {"id": NOWHERE}):
        data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: value}}
        assert field in json.dumps(await alice.refused(4003, "message.send", data)), value

    assert stored(orm, room) == before


@pytest.mark.parametrize("field", ["parent_message_id", "forwarded_from_id"])
async def test_a_message_that_was_deleted_for_good_can_no_longer_be_quoted(
    field: str, connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    message = await say(alice, room, "gone")
    quote = await say(alice, room, "quote", extra_fields={field: message["id"]})
    await delete(alice, [message["id"]])

    data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: message["id"]}}
    await alice.refused(4004, "message.send", data)

    (shown,) = await messages_of(alice, room)
    assert shown["id"] == quote["id"]
    assert shown[field.removesuffix("_id")] is None


@pytest.mark.parametrize("field", ["parent_message_id", "forwarded_from_id"])
async def test_a_hidden_message_can_no_longer_be_quoted_and_shows_nothing_where_it_was(
    field: str, connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MESSAGE_SOFT_DELETE=True)
    alice, room = await alone(connect, users)
    message = await say(alice, room, "a secret", extra_fields={"media": [media()]})
    await say(alice, room, "quote", extra_fields={field: message["id"]})
    await delete(alice, [message["id"]])

    data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: message["id"]}}
    await alice.refused(4003, "message.send", data)

    (shown,) = await messages_of(alice, room)
    assert shown["content"] == "quote"
    assert shown[field.removesuffix("_id")] is None


async def test_a_quote_in_its_own_room_shows_who_reacted_also_beside_a_forward_of_the_same(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    here, there = await group(alice, bob), await group(alice, bob)
    message = await say(alice, here, "news", bob)
    reaction = {"type": "add", "message_id": message["id"], "reaction_content": "!"}
    await bob.send("message.react", reaction)
    reacted = (await everybody_gets("reaction.dispatch", alice, bob))["message"]
    extra_fields = {"forwarded_from_id": message["id"]}
    forward = await say(alice, there, "", bob, extra_fields=extra_fields)
    extra_fields = {"parent_message_id": message["id"]}
    reply = await say(bob, here, "wow", alice, extra_fields=extra_fields)

    assert reply["parent_message"] == reacted
    # Both messages are loaded for one answer.
    assert (await in_list(bob, here))["last_message"] == reply
    assert (await in_list(bob, there))["last_message"] == forward


# Who may write, and who may be seen typing


CREATOR, LEADER, HOLDER, MEMBER, STRANGER = "creator", "leader", "holder", "member", "stranger"
LOCKED = f"locked {GROUP}"
MAY_WRITE = {
    ONE_TO_ONE: {CREATOR: True, MEMBER: True, STRANGER: False},
    GROUP: {CREATOR: True, LEADER: True, MEMBER: True, STRANGER: False},
    LOCKED: {CREATOR: True, LEADER: True, MEMBER: False, STRANGER: False},
    CHANNEL: {CREATOR: True, LEADER: True, HOLDER: True, MEMBER: False, STRANGER: False},
}


@pytest.mark.parametrize(
    ("kind", "role", "may"),
    [(kind, role, may) for kind, roles in MAY_WRITE.items() for role, may in roles.items()],
)
async def test_who_may_write(
    kind: str, role: str, may: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    locked = {"group_locked": True} if kind == LOCKED else {}
    room_type = GROUP if kind == LOCKED else kind
    room = await room_of_type(room_type, alice, bob, **locked)
    if role == LEADER:
        action = "add_admin" if room_type == GROUP else "add_moderator"
        await modify(alice, room, action, {"users": [bob.id]}, bob)
    if role == HOLDER:
        permission = {"users": [bob.id], "permission": ["can_send_messages"]}
        await modify(alice, room, "add_permission", permission, bob)
    writer = {CREATOR: alice, STRANGER: carol}.get(role, bob)
    listener = bob if writer is alice else alice

    if may:
        await writer.send("message.typing", {"room_id": room["id"]})
        typing = await everybody_gets("messagetyping.dispatch", writer, listener)
        assert typing["username"] == writer.name
        message = await say(writer, room, "hello", listener)
        assert message["sender"]["id"] == writer.id
    else:
        before = stored(orm, room)
        await writer.refused(4002, "message.typing", {"room_id": room["id"]})
        await writer.refused(4002, "message.send", {"room_id": room["id"], "content": "hello"})
        assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob, carol)


async def refused_to_write(person: Person, room: Room) -> None:
    await person.refused(4002, "message.send", {"room_id": room["id"], "content": "hello"})


@pytest.mark.parametrize("by", ["permission", "role"])
async def test_a_right_to_write_that_is_given_or_taken_holds_for_the_next_message(
    by: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(CHANNEL, alice, bob)
    data: dict[str, Any] = {"users": [bob.id]}
    given, taken = "add_moderator", "remove_moderator"
    if by == "permission":
        data["permission"] = ["can_send_messages"]
        given, taken = "add_permission", "remove_permission"

    await refused_to_write(bob, room)
    for _ in range(2):
        await modify(alice, room, given, data, bob)
        await say(bob, room, "now", alice)
        await modify(alice, room, taken, data, bob)
        await refused_to_write(bob, room)


async def test_a_group_that_is_locked_and_unlocked_is_so_for_the_next_message(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    for _ in range(2):
        await say(bob, room, "open", alice)
        await modify(alice, room, "update", {"group_locked": True}, bob)
        await refused_to_write(bob, room)
        await say(alice, room, "locked", bob)
        await modify(alice, room, "update", {"group_locked": False}, bob)


async def test_a_permission_to_write_is_worth_nothing_to_who_is_not_in_the_channel(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, mallory = await people(connect, users, "alice", "mallory")
    room = await room_of_type(CHANNEL, alice)

    def grant() -> None:
        content_type = ContentType.objects.get_for_model(
            get_model("Room").objects.get(pk=room["id"])
        )
        permission = Permission.objects.get(content_type=content_type, codename="can_send_messages")
        UserObjectPermission.objects.create(
            permission=permission,
            user=mallory.user,
            content_type=content_type,
            object_pk=room["id"],
        )

    orm(grant)

    await refused_to_write(mallory, room)
    await alice.nothing()


@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_a_creator_who_has_left_may_not_write(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(room_type, alice, bob)
    await alice.send("room.leave", {"room_id": room["id"]})
    await alice.expect("roomexit.dispatch")
    await bob.expect("roomremovemembers.dispatch")

    await refused_to_write(alice, room)
    await alice.refused(4002, "message.typing", {"room_id": room["id"]})
    await bob.nothing()


# Limits


async def test_a_message_has_a_longest_length(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    configure(settings, MAX_MESSAGE_LENGTH=20)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    message = await say(alice, room, "ž" * 20, bob)
    before = stored(orm, room)
    too_long = {"content": "ž" * 21}
    await alice.refused(4003, "message.send", {"room_id": room["id"], **too_long})
    data = {"action": "update", "message_id": message["id"], "extra_fields": too_long}
    assert "content" in await alice.refused(4003, "message.modify", data)

    assert stored(orm, room) == before
    await bob.nothing()


async def test_by_default_a_message_has_at_most_10000_characters(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)

    await say(alice, room, "x" * 10_000)

    await alice.refused(4003, "message.send", {"room_id": room["id"], "content": "x" * 10_001})


async def test_the_length_of_messages_may_be_unlimited(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_MESSAGE_LENGTH=None)
    alice, room = await alone(connect, users)
    text = "x" * 100_000

    message = await say(alice, room, text)
    edited = await edit(alice, message["id"], text + "y")

    assert message["content"] == text
    assert edited["message"]["content"] == text + "y"


async def test_a_message_has_a_largest_number_of_media_items(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    configure(settings, MAX_MEDIA_ITEMS=2)
    alice, room = await alone(connect, users)

    message = await say(alice, room, "", extra_fields={"media": [media()] * 2})
    assert len(message["attachments"]) == 2
    before = stored(orm, room)
    data = {"room_id": room["id"], "content": "", "extra_fields": {"media": [media()] * 3}}
    refusal = await alice.refused(4003, "message.send", data)
    assert refusal.keys() == {"extra_fields.media"}

    assert stored(orm, room) == before


async def test_the_number_of_media_items_may_be_unlimited(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_MEDIA_ITEMS=None)
    alice, room = await alone(connect, users)

    message = await say(alice, room, "", extra_fields={"media": [media()] * 60})

    assert len(message["attachments"]) == 60


async def test_a_frame_that_is_too_large_closes_the_socket_with_1009(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    configure(settings, MAX_FRAME_BYTES=2000)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    def frame(size: int, letter: str) -> str:
        data = {"room_id": room["id"], "content": ""}
        empty = json.dumps({"event_type": "message.send", "data": data})
        count, rest = divmod(size - len(empty), len(letter.encode()))
        data["content"] = "x" * rest + letter * count
        text = json.dumps({"event_type": "message.send", "data": data}, ensure_ascii=False)
        assert len(text.encode()) == size
        return text

    # It is bytes that count, not characters.
    for letter in ("x", "ž", "👍"):
        await alice.client.send_raw(frame(2000, letter))
        await everybody_gets("message.dispatch", alice, bob)
    before = stored(orm, room)
    for letter in ("x", "ž", "👍"):
        phone = await connect(alice.user)
        await phone.send_raw(frame(2001, letter))
        assert await phone.closed() == 1009
        assert phone.waiting() == []

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


async def test_a_binary_frame_that_is_too_large_closes_the_socket_with_1009(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_FRAME_BYTES=2000)
    alice = await connect(users("alice"))

    await alice.send_raw(b"\0" * 2000)
    await alice.error(4003)
    await alice.send_raw(b"\0" * 2001)

    assert await alice.closed() == 1009


async def test_by_default_a_frame_has_at_most_a_mebibyte(connect: Connect, users: Users) -> None:
    alice = await connect(users("alice"))

    await alice.send_raw("x" * 2**20)
    await alice.error(4003)
    await alice.send_raw("x" * (2**20 + 1))

    assert await alice.closed() == 1009


async def test_the_size_of_frames_may_be_unlimited(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_FRAME_BYTES=None, MAX_MESSAGE_LENGTH=None)
    alice, room = await alone(connect, users)

    message = await say(alice, room, "x" * (2**20 + 1))

    assert len(message["content"]) == 2**20 + 1


# Editing


async def edit(sender: Person, message_id: Any, content: str, *others: Person) -> Any:
    """Change a message; the sender and the others, who must be all, take the frame."""
    extra_fields = {"content": content}
    data = {"action": "update", "message_id": message_id, "extra_fields": extra_fields}
    await sender.send("message.modify", data)
    return await everybody_gets("messagemodification.dispatch", sender, *others)


@pytest.mark.parametrize("listed", [False, True])
async def test_an_edit_reaches_every_socket_of_every_member_and_nobody_else(
    listed: bool, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await one_to_one(alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    question = await say(bob, room, "when?", alice, *devices)
    message = await say(
        alice, room, "nwo", bob, *devices, extra_fields={"parent_message_id": question["id"]}
    )
    message_id = [message["id"]] if listed else message["id"]

    answer = await edit(alice, message_id, "now", bob, *devices)

    assert answer == {
        "status": "successful",
        "action": "update",
        "message": {
            **message,
            "content": "now",
            "is_edited": True,
            "updated_at": answer["message"]["updated_at"],
        },
    }
    assert answer["message"]["updated_at"] > message["updated_at"]
    assert await messages_of(bob, room) == [answer["message"], question]
    assert (await in_list(bob, room))["last_message"] == answer["message"]
    await nobody_gets_anything(alice, bob, *devices, stranger)


async def test_an_edit_leaves_the_media_and_the_forward_of_a_message(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    news = await say(alice, room, "news")
    picture = await say(alice, room, "picture", extra_fields={"media": [media()]})
    forward = await say(alice, room, "", extra_fields={"forwarded_from_id": news["id"]})

    for message in (picture, forward):
        edited = (await edit(alice, message["id"], "edited"))["message"]
        for name in ("attachments", "forwarded_from", "is_forwarded", "created_at"):
            assert edited[name] == message[name]


@pytest.mark.parametrize("room_type", ROOM_TYPES)
@pytest.mark.parametrize("action", ["update", "delete"])
async def test_only_the_sender_may_modify_a_message(
    action: str, room_type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    if room_type == CHANNEL:
        await modify(alice, room, "add_moderator", {"users": [bob.id]}, bob)
    message = await say(bob, room, "mine", alice)
    before = stored(orm, room)

    data = {"action": action, "message_id": message["id"], "extra_fields": {"content": "no"}}
    await alice.refused(4002, "message.modify", data)
    await stranger.refused(4002, "message.modify", data)

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob, stranger)


async def test_one_message_is_edited_at_a_time(connect: Connect, users: Users, orm: Orm) -> None:
    alice, room = await alone(connect, users)
    ids = [(await say(alice, room, text))["id"] for text in ("one", "two")]
    before = stored(orm, room)

    for message_id in (ids, []):
        data = {"action": "update", "message_id": message_id, "extra_fields": {"content": "x"}}
        await alice.refused(4003, "message.modify", data)

    assert stored(orm, room) == before


async def test_a_modification_that_does_not_say_what_to_do_is_refused(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    message = await say(alice, room, "hello")
    before = stored(orm, room)
    wrong: list[dict[str, Any]] = [
        {},
        {"action": None},
        {"action": 1},
        {"action": ["update"]},
        {"action": "edit"},
        {"action": "Update"},
        {"action": "update"},
        {"action": "update", "extra_fields": None},
        {"action": "update", "extra_fields": {}},
        {"action": "update", "extra_fields": "new"},
        {"action": "update", "extra_fields": {"content": None}},
        {"action": "update", "content": "new"},
    ]

    for data in wrong:
        await alice.refused(4003, "message.modify", {"message_id": message["id"], **data})

    assert stored(orm, room) == before


# Deleting


async def delete(sender: Person, message_id: Any, *others: Person) -> Any:
    """Delete messages; the sender and the others, who must be all, take the frame."""
    await sender.send("message.modify", {"action": "delete", "message_id": message_id})
    return await everybody_gets("messagemodification.dispatch", sender, *others)


@pytest.fixture(params=[False, True], ids=["hard", "soft"])
def soft(request: pytest.FixtureRequest, settings: Settings) -> bool:
    """Whether messages that are deleted are hidden only; the test runs with both."""
    configure(settings, MESSAGE_SOFT_DELETE=request.param)
    hidden: bool = request.param
    return hidden


async def test_a_deletion_reaches_every_socket_of_every_member_and_nobody_else(
    soft: bool, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await one_to_one(alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    message = await say(alice, room, "oops", bob, *devices)

    answer = await delete(alice, message["id"], bob, *devices)

    assert answer == {"status": "successful", "action": "delete", "message_ids": [message["id"]]}
    await nobody_gets_anything(alice, bob, *devices, stranger)


async def test_a_deleted_message_is_hidden_from_the_room_and_the_list_of_rooms(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first = await say(alice, room, "first", bob)
    second = await say(bob, room, "second", alice)
    third = await say(alice, room, "third", bob, extra_fields={"media": [media()]})
    assert (await in_list(bob, room))["last_message"] == third

    await delete(alice, third["id"], bob)

    for person in (alice, bob):
        assert await messages_of(person, room) == [second, first]
        assert (await in_list(person, room))["last_message"] == second
    await delete(bob, second["id"], alice)
    await delete(alice, first["id"], bob)
    assert await messages_of(alice, room) == []
    assert (await in_list(alice, room))["last_message"] is None

    rows = stored(orm, room)["messages"]
    assert [row["is_deleted"] for row in rows] == ([True] * 3 if soft else [])


async def test_a_list_of_messages_is_deleted_at_once(
    soft: bool, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    ids = [(await say(alice, room, str(number), bob))["id"] for number in range(4)]
    kept = await say(bob, room, "kept", alice)

    answer = await delete(alice, [ids[2], ids[0], ids[2], ids[3], ids[1]], bob)

    assert answer["message_ids"] == [ids[2], ids[0], ids[3], ids[1]]
    assert await messages_of(bob, room) == [kept]
    await nobody_gets_anything(alice, bob)


async def test_messages_of_several_rooms_are_not_deleted_together(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    rooms = [await one_to_one(alice, bob), await group(alice, bob)]
    ids = [(await say(alice, room, "hello", bob))["id"] for room in rooms]
    before = stored(orm, *rooms)

    await alice.refused(4003, "message.modify", {"action": "delete", "message_id": ids})

    assert stored(orm, *rooms) == before
    await bob.nothing()


@pytest.mark.parametrize(("other", "code"), [("of bob", 4002), ("unknown", 4004), ("x", 4003)])
async def test_a_list_with_one_wrong_message_deletes_none(
    other: str, code: int, soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    mine = await say(alice, room, "mine", bob)
    his = await say(bob, room, "his", alice)
    wrong = {"of bob": his["id"], "unknown": NOWHERE}.get(other, other)
    before = stored(orm, room)

    data = {"action": "delete", "message_id": [mine["id"], wrong]}
    await alice.refused(code, "message.modify", data)

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


async def test_a_deleted_message_can_be_neither_edited_nor_deleted_again(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "oops", bob)
    await delete(alice, message["id"], bob)
    before = stored(orm, room)

    # A hidden one still exists; one that is gone does not.
    code = 4003 if soft else 4004
    data = {"message_id": message["id"], "extra_fields": {"content": "back"}}
    await alice.refused(code, "message.modify", {"action": "update", **data})
    await alice.refused(code, "message.modify", {"action": "delete", **data})

    assert stored(orm, room) == before
    await bob.nothing()


async def test_what_was_deleted_waits_for_nobody(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    carol = users("carol")
    room = await group(alice, bob)
    await alice.send("room.add_members", {"room_id": room["id"], "members": [wire_id(carol.pk)]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    message = await say(alice, room, "oops", bob)
    kept = await say(alice, room, "kept", bob)
    await bob.send(
        "message.react", {"type": "add", "message_id": message["id"], "reaction_content": "?"}
    )
    await everybody_gets("reaction.dispatch", alice, bob)

    await delete(alice, message["id"], bob)

    for person in (carol, bob.user):
        late = await connect(person)
        (waiting,) = late.notifications[room["id"]]
        assert waiting["message"]["id"] == kept["id"]
    assert (await connect(alice.user)).notifications == {}
    rows = get_model("ChatNotification").objects.filter(message_id=message["id"])
    assert orm(rows.count) == 0


@pytest.mark.parametrize("action", ["update", "delete"])
async def test_a_malformed_message_id_of_a_modification_is_refused(
    action: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    for message_id in (None, "", "x", 1, True, [], {}, [None], [[]], ["x"], [1], [NOWHERE, "x"]):
        data = {"action": action, "message_id": message_id, "extra_fields": {"content": "x"}}
        await alice.refused(4003, "message.modify", data)


# Typing


@pytest.mark.parametrize(
    ("said", "is_typing"), [({}, True), ({"is_typing": True}, True), ({"is_typing": False}, False)]
)
@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_typing_is_shown_to_every_socket_of_every_member_and_stored_nowhere(
    room_type: str,
    said: dict[str, bool],
    is_typing: bool,
    connect: Connect,
    users: Users,
    orm: Orm,
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    before = stored(orm, room)

    await alice.send("message.typing", {"room_id": room["id"], **said})

    assert await everybody_gets("messagetyping.dispatch", alice, bob, *devices) == {
        "username": alice.name,
        "user_id": alice.id,
        "room_id": room["id"],
        "is_typing": is_typing,
    }
    await nobody_gets_anything(alice, bob, *devices, stranger)
    assert stored(orm, room) == before


async def test_is_typing_that_is_neither_true_nor_false_is_refused(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    for is_typing in (None, 0, 1, "false", [], {}):
        data = {"room_id": room["id"], "is_typing": is_typing}
        await alice.refused(4003, "message.typing", data)

    await bob.nothing()
