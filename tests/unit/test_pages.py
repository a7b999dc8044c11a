"""Pages of messages: whoever pages on gets everything once, however large the messages are."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from gql_chat.models import GroupChat, Message, MessageMediaAsset, Reaction, ReadReceipt
from gql_chat.operations import EventHandler
from gql_chat.sizes import SharedBudget
from tests.conftest import Users
from tests.unit.answers import ask
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db

START = timezone.now() - timedelta(days=1)
LIMIT = 8000

#: What a message has: letters of text (control characters are six bytes each), bytes of metadata,
#: whether people read it, and whether it answers the one before.
SHAPES = st.tuples(
    st.sampled_from([0, 10, 900, 3000, 9000]),
    st.sampled_from(["x", "\x01", "👍"]),
    st.sampled_from([0, 0, 2500, 12_000]),
    st.booleans(),
    st.booleans(),
)


def write(group: Any, people: list[Any], shapes: list[Any]) -> list[str]:
    """Write messages of these shapes; return their ids, the newest first."""
    written: list[Message] = []
    for number, (length, letter, metadata, is_read, is_reply) in enumerate(shapes):
        message = Message.objects.create(
            room=group,
            sender=people[0],
            content=letter * length,
            # Several at one moment: the order is one all the same.
            created_at=START + timedelta(seconds=number // 2),
            parent_message=written[-1] if is_reply and written else None,
        )
        written.append(message)
        if metadata:
            MessageMediaAsset.objects.create(
                message=message,
                media_url="https://e.com/",
                media_type="image",
                mime_type="image/png",
                metadata={"note": "n" * metadata},
            )
        if is_read:
            ReadReceipt.objects.bulk_create(
                ReadReceipt(message=message, reader=each) for each in people
            )
            Reaction.objects.bulk_create(
                Reaction(message=message, user=each, reaction_content="+1") for each in people
            )
    found = Message.objects.filter(room=group).order_by("-created_at", "-pk")
    return [str(key) for key in found.values_list("pk", flat=True)]


def ids(page: Any) -> list[str]:
    return [message["id"] for message in page["data"]["messages"]]


def page_by_number(user: Any, room: str, size: int) -> Iterator[list[str]]:
    number: int | None = 1
    while number is not None:
        paginate = {"page": number, "size": size}
        page = ask(user, "room.messages", {"room_id": room, "paginate": paginate})
        yield ids(page)
        assert page["size"] <= size
        assert len(ids(page)) <= page["size"]
        assert page["has_next"] is (page["next_page_number"] is not None)
        assert page["has_previous"] is (page["page"] > 1)
        assert page["prev_page_number"] == (page["page"] - 1 or None)
        number, size = page["next_page_number"], page["size"]


def page_by_cursor(user: Any, room: str, size: int, cursor: str, name: str) -> Iterator[list[str]]:
    while True:
        paginate = {name: cursor, "size": size}
        page = ask(user, "room.messages", {"room_id": room, "paginate": paginate})
        assert page["size"] == size
        shown = ids(page)
        yield shown
        if not page["has_next" if name == "before" else "has_previous"]:
            return
        cursor = shown[-1 if name == "before" else 0]


@settings(
    deadline=None,
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(shapes=st.lists(SHAPES, min_size=2, max_size=12), size=st.integers(1, 8))
@example(shapes=[(0, "x", 0, False, False)] * 9 + [(3000, "\x01", 0, False, False)], size=2)
def test_paging_yields_exactly_everything(
    shapes: list[Any], size: int, alice: Any, bob: Any, users: Users
) -> None:
    group = GroupChat.objects.create(name="group", creator=alice)
    everything = write(group, [alice, bob, *users.make(*["reader"] * 3)], shapes)
    room = str(group.pk)
    with chat(MAX_ANSWER_BYTES=LIMIT):
        newest = ids(ask(alice, "room.messages", {"room_id": room}))
        numbered = list(page_by_number(alice, room, size))
        older = list(page_by_cursor(alice, room, size, everything[0], "before"))
        newer = list(page_by_cursor(alice, room, size, everything[-1], "after"))

    assert newest == everything[: len(newest)] != []
    assert [each for page in numbered for each in page] == everything
    assert [everything[0], *(each for page in older for each in page)] == everything
    assert [*(each for page in newer[::-1] for each in page), everything[-1]] == everything
    for pages in (numbered, older, newer):
        assert all(pages), "each page has one message at least"


def test_the_page_of_the_issue_is_small(group: GroupChat, alice: Any) -> None:
    """A hundred messages of much metadata: a page of 50 had 95 MB."""
    write(group, [alice], [(10, "x", 200_000, False, False)] * 20)
    room = str(group.pk)

    first = ask(alice, "room.messages", {"room_id": room, "paginate": {"page": 1, "size": 50}})

    assert (len(ids(first)), first["size"], first["page"], first["has_next"]) == (5, 5, 1, True)
    second = {"page": first["next_page_number"], "size": first["size"]}
    after = ask(alice, "room.messages", {"room_id": room, "paginate": second})
    assert (len(ids(after)), after["prev_page_number"], after["has_previous"]) == (5, 1, True)


def test_no_more_is_loaded_than_is_shown(group: GroupChat, alice: Any) -> None:
    write(group, [alice], [(10, "x", 200_000, False, False)] * 20)

    with CaptureQueriesContext(connection) as captured:
        page = EventHandler(alice.pk).room_messages(group.pk)

    assert len(page.messages) == 5
    assert sum(len(message.relations.attachments) for message in page.messages) == 5
    # Where it is too much, one statement weighs it, and what hangs on the rest is asked for again.
    assert len(captured) == 7 + 1 + 6


def test_long_texts_are_weighed_before_they_are_read(group: GroupChat, alice: Any) -> None:
    write(group, [alice], [(300_000, "x", 0, False, False)] * 9)
    with chat(MAX_MESSAGE_LENGTH=None):
        with CaptureQueriesContext(connection) as captured:
            page = EventHandler(alice.pk).room_messages(group.pk)
        older = EventHandler(alice.pk).room_messages(group.pk, before=page.messages[-1].pk, size=50)
        newer = EventHandler(alice.pk).room_messages(group.pk, after=older.messages[-1].pk, size=50)

    assert [len(found.messages) for found in (page, older, newer)] == [3, 3, 3]
    assert (older.has_next, newer.has_previous) == (True, True)
    pages = [query["sql"] for query in captured if "LIMIT 4 OFFSET 0" in query["sql"]]
    assert len(pages) == 1, captured.captured_queries


def test_without_a_limit_a_page_is_as_large_as_it_is(group: GroupChat, alice: Any) -> None:
    write(group, [alice], [(10, "x", 200_000, False, False)] * 8)
    with chat(MAX_ANSWER_BYTES=None):
        assert len(ids(ask(alice, "room.messages", {"room_id": str(group.pk)}))) == 8


def test_a_page_that_fits_takes_the_statements_that_it_took(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    write(group, [alice, bob], [(100, "x", 50, True, True)] * 6)
    handler = EventHandler(alice.pk)
    handler.room_messages(group.pk)

    counts = []
    for limit in (None, 1024 * 1024):
        with chat(MAX_ANSWER_BYTES=limit), CaptureQueriesContext(connection) as captured:
            EventHandler(alice.pk).room_messages(group.pk, page=1, size=5)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_pages_of_one_request_share_its_bytes(group: GroupChat, alice: Any) -> None:
    write(group, [alice], [(900, "x", 0, False, False)] * 9)
    with chat(MAX_ANSWER_BYTES=LIMIT):
        alone = len(EventHandler(alice.pk).room_messages(group.pk).messages)
        handler = EventHandler(alice.pk)
        handler.budget = SharedBudget()
        first = handler.room_messages(group.pk, page=1, size=2)
        rest = handler.room_messages(group.pk)

    assert len(first.messages) == 2
    assert len(first.messages) + len(rest.messages) == alone
