"""Weights: what the database says of a message, what a look at it says, and what its frame has."""

from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql_chat.models import (
    Delivery,
    GroupChat,
    Message,
    MessageMediaAsset,
    Reaction,
    ReadReceipt,
)
from gql_chat.models.relations import TooHeavy, load_first, load_messages
from gql_chat.models.weights import ESCAPED, find_texts, may_be_long, weigh, weigh_loaded
from tests.conftest import Users
from tests.unit.making import perform
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db

TEXTS = ["", "plain", 'quo"te\\ and \n line', "žluťoučký 👍", "\x01\x02\x1f", "x" * 5000]


def write(room: Any, sender: Any, content: str = "hello", **fields: Any) -> Message:
    return Message.objects.create(room=room, sender=sender, content=content, **fields)


def attach(message: Message, **fields: Any) -> MessageMediaAsset:
    given = {"media_url": "https://e.com/", "media_type": "image", "mime_type": "image/png"}
    return MessageMediaAsset.objects.create(message=message, **{**given, **fields})


def read(message: Message, *people: Any) -> None:
    ReadReceipt.objects.bulk_create(ReadReceipt(message=message, reader=each) for each in people)
    Delivery.objects.bulk_create(Delivery(message=message, user=each) for each in people)
    Reaction.objects.bulk_create(
        Reaction(message=message, user=each, reaction_content="+1") for each in people
    )


def shown(room: Any, user: Any, size: int = 1) -> list[Any]:
    asked = {"room_id": str(room.pk), "paginate": {"page": 1, "size": size}}
    found: list[Any] = perform(user, "room.messages", asked)[0]["data"]["messages"]
    return found


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_texts_weigh_what_json_has_of_them(text: str, group: GroupChat, alice: Any) -> None:
    bare, other = write(group, alice, ""), write(group, alice, text)
    weights = weigh([bare.pk, other.pk])

    assert weights[other.pk] - weights[bare.pk] == len(orjson.dumps(text)) - 2
    assert weigh_loaded(load_messages([bare, other])) == [weights[bare.pk], weights[other.pk]]


def test_what_hangs_on_a_message_and_on_its_quotes_counts(
    group: GroupChat, alice: Any, bob: Any, users: Users
) -> None:
    parent = write(group, alice, "y" * 300)
    attach(parent, caption="c" * 500, metadata={"note": "n" * 1000})
    read(parent, *users.make(*["reader"] * 3))
    plain = write(group, bob)
    reply = write(group, bob, parent_message=parent)
    attach(reply, metadata={"a": [1, None, "ž"]})
    read(reply, alice)
    messages = [parent, plain, reply]

    weights = weigh([message.pk for message in messages])
    looked = dict(zip(weights.keys(), [0] * 3, strict=True))
    looked.update(
        {m.pk: w for m, w in zip(messages, weigh_loaded(load_messages(messages)), strict=True)}
    )
    frames = {message["id"]: message for message in shown(group, alice, 3)}

    assert weights[reply.pk] > weights[parent.pk] > weights[plain.pk]
    for message in messages:
        # PostgreSQL has spaces in JSON, SQLite escapes letters of it.
        assert looked[message.pk] <= weights[message.pk] <= looked[message.pk] + 60
        size = len(orjson.dumps(frames[str(message.pk)]))
        assert 0.7 * size < weights[message.pk] < 1.7 * size


def test_weighing_is_one_statement_that_loads_no_message(
    group: GroupChat, alice: Any, django_assert_num_queries: Any
) -> None:
    ids = [write(group, alice, "secret").pk for _ in range(20)]
    with CaptureQueriesContext(connection) as captured:
        assert weigh(ids).keys() == set(ids)
    assert len(captured) == 1
    with django_assert_num_queries(0):
        assert weigh([]) == {}


def test_long_texts_are_weighed_and_short_ones_counted_as_long_as_may_be() -> None:
    assert find_texts(Message) == (("content",), 0)
    assert find_texts(MessageMediaAsset) == (("media_url", "caption", "metadata"), 16 + 128)


@pytest.mark.parametrize(
    ("length", "count", "is_long"), [(10_000, 101, False), (50_000, 101, True), (None, 1, True)]
)
def test_texts_may_be_long_where_messages_may(
    length: int | None, count: int, is_long: bool
) -> None:
    with chat(MAX_MESSAGE_LENGTH=length):
        assert may_be_long(count, 1024 * 1024) is is_long


# Loading


def test_what_fits_is_loaded_by_the_statements_that_there_were(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    messages = [write(group, alice) for _ in range(5)]
    attach(messages[0])
    read(messages[1], bob)
    found = list(Message.objects.select_related("sender").order_by("created_at"))

    with CaptureQueriesContext(connection) as few:
        load_messages(list(found))
    with CaptureQueriesContext(connection) as captured:
        first = load_first(found, 100_000)

    assert len(captured) == len(few)
    assert (first.count, first.messages) == (5, found)
    assert first.weight >= sum(weigh_loaded(found))
    assert load_first([], 100).messages == []
    assert load_first(found, None).count == 5


@pytest.mark.parametrize("heavy", ["attachments", "people", "text", "a quote"])
def test_of_what_is_too_much_the_first_is_loaded(
    heavy: str, group: GroupChat, alice: Any, users: Users
) -> None:
    crowd = users.make(*["reader"] * 12)
    quoted = write(group, alice, "q" * 4000)
    messages = [
        write(
            group,
            alice,
            "x" * 4000 if heavy == "text" else "x",
            parent_message=quoted if heavy == "a quote" else None,
        )
        for _ in range(4)
    ]
    for message in messages:
        if heavy == "attachments":
            attach(message, metadata={"note": "n" * 4000})
        if heavy == "people":
            read(message, *crowd)
    limit = 3 * 5000 if heavy != "people" else 3 * 11_000
    weights = [weigh([message.pk])[message.pk] for message in messages]
    assert sum(weights) > limit >= sum(weights[:2])

    first = load_first(messages, limit)

    assert first.count == len(first.messages) < 4
    assert first.messages == messages[: first.count]
    assert sum(weights[: first.count]) <= limit + 100
    assert sum(weights[: first.count + 1]) > limit - 100
    assert all(hasattr(message, "relations") for message in first.messages)


def test_one_message_is_loaded_whatever_it_weighs(group: GroupChat, alice: Any) -> None:
    message = write(group, alice, "x" * 500)
    for _ in range(3):
        attach(message, metadata={"note": "n" * 4000})

    first = load_first([message], 1000)

    assert (first.count, len(first.messages[0].relations.attachments)) == (1, 3)


def test_a_message_that_is_shown_twice_counts_twice(group: GroupChat, alice: Any) -> None:
    message = write(group, alice, "x" * 4000)

    assert load_first([message] * 3, 10_000, once=[message]).count == 2
    assert load_first([message] * 3, 20_000, once=[message]).count == 3


def test_too_much_is_not_read(group: GroupChat, alice: Any) -> None:
    """Not more of it than the limit, and what goes beyond it first."""
    from gql_chat.models.loads import Load, _first_attachments

    message = write(group, alice)
    for _ in range(20):
        attach(message, metadata={"note": "n" * 1000})

    found: list[Any] = _first_attachments.all([message.pk], 5000)
    assert 3 <= len(found) <= 5
    with pytest.raises(TooHeavy):
        load_messages([message], load=Load(5000))


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_the_database_weighs_any_text_as_json_has_it(
    text: str, group: GroupChat, alice: Any
) -> None:
    message = write(group, alice, text)
    base = write(group, alice, "")
    weights = weigh([message.pk, base.pk])

    weight = weights[message.pk] - weights[base.pk]
    assert weight == len(orjson.dumps(text)) - 2
    assert weight <= ESCAPED * len(text)
