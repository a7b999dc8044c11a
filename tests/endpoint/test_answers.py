"""How large an answer of the endpoint may be: its pages share the bytes, and say where they end."""

import json
from typing import Any

from django.contrib.auth.models import AbstractUser
from pytest_django import Settings

from gql_chat.models import Message, MessageMediaAsset
from tests.conftest import Orm
from tests.endpoint.conftest import MakeGroup, OpenSocket
from tests.endpoint.tools import FOLLOW_ROOM, Tool, contents
from tests.wire.messages import configure

RECORDS = "message_records(first: 50) { edges { node { content } } page_info { has_next_page } }"
FULL = "The answer is full: ask for this in a request of its own."
PAGE = """query ($input: RoomMessagesInput!) { room_messages(input: $input) {
    has_next size data { messages { id attachments { metadata } } } } }"""


def write(room: Any, sender: Any, count: int, *, metadata: int = 0, text: int = 10) -> None:
    """Write messages with so much metadata and text."""
    for number in range(count):
        message = Message.objects.create(room=room, sender=sender, content=f"{number}" + "x" * text)
        if metadata:
            MessageMediaAsset.objects.create(
                message=message,
                media_url="https://e.com/",
                media_type="image",
                mime_type="image/png",
                metadata={"note": "n" * metadata},
            )


def test_a_page_of_large_messages_ends_early(
    tool: Tool, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    room = make_group(staff)
    orm(write, room, staff, 20, metadata=200_000)

    seen: list[str] = []
    paginate: dict[str, Any] = {"page": 1, "size": 50}
    while True:
        status, body = tool.post(PAGE, {"input": {"room_id": str(room.pk), "paginate": paginate}})
        assert (status, body.get("errors")) == (200, None)
        assert len(json.dumps(body)) < 1.1 * 2**20
        page = body["data"]["room_messages"]
        seen += [message["id"] for message in page["data"]["messages"]]
        if not page["has_next"]:
            break
        paginate = {"before": seen[-1], "size": 50}

    assert len(seen) == len(set(seen)) == 20


def test_the_pages_of_one_request_share_its_bytes(
    tool: Tool, staff: AbstractUser, make_group: MakeGroup, orm: Orm, settings: Settings
) -> None:
    room = make_group(staff)
    orm(write, room, staff, 8, text=3000)
    configure(settings, MAX_ANSWER_BYTES=16_000)
    names = "abcdefgh"

    status, body = tool.post(f"{{ {' '.join(f'{name}: {RECORDS}' for name in names)} }}")

    assert status == 200
    assert len(json.dumps(body)) < 24_000
    # What finds the answer full says so, and where no page may be left out nothing is.
    assert {error["message"] for error in body["errors"]} == {FULL}
    assert {error["extensions"]["code"] for error in body["errors"]} == {4003}
    alone = tool.ask(f"{{ {RECORDS} }}")["message_records"]
    assert len(alone["edges"]) == 4
    assert alone["page_info"]["has_next_page"] is True


async def test_a_subscription_reads_large_events_a_few_at_a_time(
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    say: Any,
    settings: Settings,
) -> None:
    configure(settings, MAX_MESSAGE_LENGTH=None)
    room = make_group(staff)
    said = [f"{number} " + "x" * 400_000 for number in range(6)]
    say(room, *said)
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)

    assert [contents(await socket.frame("1")) for _ in said] == said
