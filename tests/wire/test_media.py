"""Media of messages."""

import json
from typing import Any

import pytest

from tests.conftest import Connect, Orm, Users
from tests.wire.messages import alone, media, nested
from tests.wire.rooms import (
    messages_of,
    one_to_one,
    people,
    say,
    stored,
)

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
