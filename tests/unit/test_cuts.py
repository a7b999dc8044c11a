"""What frames show of long lists: the first members, the newest receipts, and their counts."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql_chat.models import (
    Channel,
    Delivery,
    GroupChat,
    Membership,
    StreamEvent,
    get_model,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import erase_names, room_stream
from tests.conftest import Users
from tests.unit.answers import ask
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db

few = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Reaction, ReadReceipt = get_model("Reaction"), get_model("ReadReceipt")
LISTS = ("delivered_to", "read_receipts", "reactions")


def make_people(count: int) -> list[Any]:
    """Make users without passwords, many at once."""
    model: Any = get_user_model()
    name, taken = model.USERNAME_FIELD, model.objects.count()
    rows = [model(**{name: f"p{taken + number}@example.com"}) for number in range(count)]
    return list(model.objects.bulk_create(rows))


@contextmanager
def loading(*models: Any) -> Iterator[Counter[str]]:
    """Count the instances that come into being of these models."""
    counts: Counter[str] = Counter()

    def note(sender: Any, **_: Any) -> None:
        counts[sender.__name__] += 1

    for model in models:
        post_init.connect(note, sender=model)
    yield counts
    for model in models:
        post_init.disconnect(note, sender=model)


def last_event(room: Any) -> Any:
    """The newest event in the log of a room, as it is told."""
    row = StreamEvent.objects.filter(stream=room_stream(room.pk)).order_by("-seq").first()
    assert row is not None
    return orjson.loads(row.payload)


def fetch(user: Any, room: Any) -> list[Any]:
    """The messages of a room, as a client fetches them."""
    page = ask(user, "room.messages", {"room_id": str(room.pk)})
    messages: list[Any] = page["data"]["messages"]
    return messages


def info(user: Any, room: Any) -> Any:
    """A room, as a client fetches it."""
    return ask(user, "room.info", {"room_id": str(room.pk)})


# Receipts


def test_a_message_that_300_read_is_told_of_in_frames_of_one_size(alice: Any) -> None:
    readers = make_people(299)
    group = GroupChat.objects.create(name="group", creator=alice, max_participants=300)
    Membership.objects.add(group, [reader.pk for reader in readers])
    handler = EventHandler(alice.pk)
    message = handler.send_message(group.pk, "hello").message_id

    loaded = []
    for reader in readers:
        with loading(ReadReceipt, get_user_model()) as counts:
            EventHandler(reader.pk).read_messages([message])
        loaded.append(counts)

    frames = StreamEvent.objects.filter(stream=room_stream(group.pk), kind="MessagesRead")
    sizes = [len(payload) for payload in frames.order_by("seq").values_list("payload", flat=True)]
    assert len(sizes) == 299
    # A receipt is a user and a time: what is more than a hundred of them is not told.
    assert max(sizes) < 100 * 250 + 1500
    assert max(sizes) - sizes[150] < 500
    assert sum(sizes) < 299 * (100 * 250 + 1500)
    # One for the receipt that is written, and one for what a deletion would make room for.
    assert max(counts["ReadReceipt"] for counts in loaded) <= 104
    assert max(counts[get_user_model().__name__] for counts in loaded) <= 108
    (shown,) = fetch(alice, group)
    assert shown["read_receipts_count"] == 299
    assert [each["reader"]["username"] for each in shown["read_receipts"]] == [
        reader.get_username() for reader in readers[-100:]
    ]


@given(
    deeds=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["read", "got", "+1", "-1", "remove"])),
        min_size=1,
        max_size=25,
    ),
    most=st.sampled_from([1, 2, 3, None]),
)
@few
def test_who_applies_dispatches_has_what_a_fetch_shows(
    deeds: list[tuple[int, str]], most: int | None, users: Users
) -> None:
    people = users.make(*["person"] * 6)
    sender = users("sender")
    group = GroupChat.objects.create(name="group", creator=sender)
    group.participants.add(*people)
    key = EventHandler(sender.pk).send_message(group.pk, "hello").message_id
    done: dict[str, list[int]] = {"read": [], "got": [], "react": []}

    with chat(MAX_RECEIPTS_SHOWN=most):
        for number, deed in deeds:
            handler = EventHandler(people[number].pk)
            if deed == "read" and number not in done["read"]:
                handler.read_messages([key])
                done["read"].append(number)
            elif deed == "got":
                handler.acknowledge_messages([key])
                if number not in done["got"]:
                    done["got"].append(number)
            elif deed in ("+1", "-1"):
                if Reaction.objects.filter(user=people[number], reaction_content=deed).exists():
                    continue  # the same one again is refused
                handler.add_reaction(key, deed)
                done["react"] = [each for each in done["react"] if each != number] + [number]
            elif deed == "remove" and number in done["react"]:
                handler.remove_reaction(key, None)
                done["react"].remove(number)
            else:
                continue
            (shown,) = fetch(sender, group)
            if deed != "got":  # which is told to the sender alone
                told = last_event(group)
                told = told["messages"][0] if "messages" in told else told["message"]
                assert told == shown
            names = [person.get_username() for person in people]
            shown_of = {
                "got": shown["delivered_to"],
                "read": [each["reader"]["username"] for each in shown["read_receipts"]],
                "react": [each["user"]["username"] for each in shown["reactions"]],
            }
            counts = {
                "got": shown["delivered_to_count"],
                "read": shown["read_receipts_count"],
                "react": shown["reactions_count"],
            }
            assert counts == {name: len(who) for name, who in done.items()}
            assert shown_of == {
                name: [names[each] for each in who][-(most or 99) :] for name, who in done.items()
            }


def test_a_quote_and_an_excerpt_have_the_counts_too(alice: Any, bob: Any, group: GroupChat) -> None:
    handler = EventHandler(alice.pk)
    key = handler.send_message(group.pk, "x" * 9000).message_id
    for model, field in ((ReadReceipt, "reader"), (Reaction, "user"), (Delivery, "user")):
        model.objects.bulk_create(model(message_id=key, **{field: each}) for each in (alice, bob))
    with chat(MAX_RECEIPTS_SHOWN=1, MAX_ANSWER_BYTES=5000):
        (room,) = ask(alice, "room.list", {})
    with chat(MAX_RECEIPTS_SHOWN=1):
        EventHandler(bob.pk).send_message(group.pk, "yes", parent_message_id=key)
        quote = fetch(alice, group)[0]["parent_message"]

    excerpt = room["last_message"]
    assert excerpt["content"].endswith("…")
    for name in LISTS:
        assert (excerpt[name], excerpt[f"{name}_count"]) == ([], 2)
        assert (len(quote[name]), quote[f"{name}_count"]) == (1, 2)


def test_pages_of_messages_load_no_more_than_they_show(alice: Any) -> None:
    readers = make_people(40)
    group = GroupChat.objects.create(name="group", creator=alice)
    Membership.objects.add(group, [reader.pk for reader in readers])
    keys = [EventHandler(alice.pk).send_message(group.pk, "hello").message_id for _ in range(5)]
    ReadReceipt.objects.bulk_create(
        ReadReceipt(message_id=key, reader=each) for key in keys for each in readers
    )

    with chat(MAX_RECEIPTS_SHOWN=3), loading(ReadReceipt) as counts:
        shown = fetch(alice, group)

    assert [len(each["read_receipts"]) for each in shown] == [3] * 5
    assert counts["ReadReceipt"] <= 5 * 4
    # It is no reason to end a page early that there are more.
    with chat(MAX_RECEIPTS_SHOWN=3, MAX_ANSWER_BYTES=5 * (700 + 4 * 320) + 2000):
        assert len(fetch(alice, group)) == 5


# Members


@given(
    deeds=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["in", "out", "lead", "follow", "rename"])),
        min_size=1,
        max_size=20,
    ),
    most=st.sampled_from([1, 2, 3, None]),
)
@few
def test_rooms_are_told_of_as_they_are_fetched(
    deeds: list[tuple[int, str]], most: int | None, users: Users
) -> None:
    alice = users("alice")
    people = users.make(*["person"] * 7)
    group = GroupChat.objects.create(name="group", creator=alice)
    order: list[int] = []
    leading: set[int] = set()
    leader = EventHandler(alice.pk)

    with chat(MAX_MEMBERS_SHOWN=most):
        for number, deed in deeds:
            key = people[number].pk
            if deed == "in" and number not in order:
                leader.add_members(group.pk, [key])
                order.append(number)
                assert last_event(group)["new_members"] == [people[number].get_username()]
            elif deed == "out" and number in order:
                leader.remove_members(group.pk, [key])
                order.remove(number)
                leading.discard(number)
            elif deed == "lead" and number in order:
                leader.set_leaders(group.pk, "admins", [key], lead=True)
                leading.add(number)
            elif deed == "follow" and number in order:
                leader.set_leaders(group.pk, "admins", [key], lead=False)
                leading.discard(number)
            elif deed == "rename":
                leader.update_room(group.pk, {"name": f"group {number}"})
            else:
                continue
            told, shown = last_event(group)["room"], info(alice, group)
            assert told == shown
            wanted = [people[each] for each in order if each in leading]
            admins = [alice, *wanted]
            everybody = [*admins, *(people[each] for each in order if each not in leading)]
            assert shown["member_count"] == len(everybody)
            assert names(shown["participants"]) == usernames(everybody[:most])
            assert names(shown["admins"]) == usernames(admins[:most])


def names(shown: list[Any]) -> list[str]:
    """The usernames of users that a frame shows."""
    return [each["username"] for each in shown]


def usernames(people: list[Any]) -> list[str]:
    """The usernames of users."""
    return [person.get_username() for person in people]


def test_all_first_members_of_a_room_get_its_stream(alice: Any) -> None:
    members = make_people(7)
    with chat(MAX_MEMBERS_SHOWN=3):
        room = EventHandler(alice.pk).create_room(
            "Channel", name="news", members=[member.pk for member in members]
        )
    row = StreamEvent.objects.get(stream=room_stream(room.pk))
    shown = orjson.loads(row.payload)["room"]

    assert shown["member_count"] == 8
    assert len(shown["subscribers"]) == 3
    assert row.change is not None
    assert set(row.change["joined"]) == {str(each.pk) for each in (alice, *members)}


def test_members_who_are_not_shown_leave_and_get_permissions(alice: Any) -> None:
    members = make_people(6)
    channel = Channel.objects.create(name="news", creator=alice)
    Membership.objects.add(channel, [member.pk for member in members])
    handler = EventHandler(alice.pk)
    with chat(MAX_MEMBERS_SHOWN=2):
        handler.set_permissions(channel.pk, [members[4].pk], ["can_send_messages"], hold=True)
        EventHandler(members[4].pk).send_message(channel.pk, "from the end of the list")
        EventHandler(members[5].pk).leave_room(channel.pk)
        told = last_event(channel)

    assert told["removed_members"] == [members[5].get_username()]
    assert told["room"]["member_count"] == 6
    assert names(told["room"]["subscribers"]) == usernames([alice, members[0]])


def test_a_room_of_a_thousand_is_told_of_in_a_frame_of_one_size(alice: Any) -> None:
    group = GroupChat.objects.create(name="group", creator=alice, max_participants=1000)
    Membership.objects.add(group, [each.pk for each in make_people(150)])
    EventHandler(alice.pk).update_room(group.pk, {"name": "before"})
    before = len(orjson.dumps(last_event(group)))
    Membership.objects.add(group, [each.pk for each in make_people(840)])

    with loading(Membership, get_user_model()) as counts:
        EventHandler(alice.pk).update_room(group.pk, {"name": "after"})

    after = last_event(group)
    assert after["room"]["member_count"] == 991
    assert abs(len(orjson.dumps(after)) - before) < 50
    assert counts["Membership"] <= 102
    assert counts[get_user_model().__name__] <= 103


# Without the feature


@pytest.mark.parametrize("features", [(), ("erasure",)])
def test_without_the_feature_frames_show_all_and_count_nothing(
    features: tuple[str, ...], alice: Any
) -> None:
    members = make_people(5)
    group = GroupChat.objects.create(name="group", creator=alice)
    Membership.objects.add(group, [member.pk for member in members])
    with chat(FEATURES=features, MAX_RECEIPTS_SHOWN=2, MAX_MEMBERS_SHOWN=2):
        key = EventHandler(alice.pk).send_message(group.pk, "hello").message_id
        with CaptureQueriesContext(connection) as captured:
            for member in members:
                EventHandler(member.pk).read_messages([key])
            room, (shown,) = info(alice, group), fetch(alice, group)

    assert len(shown["read_receipts"]) == 5
    assert len(room["participants"]) == 6
    assert not {f"{name}_count" for name in LISTS} & shown.keys()
    assert "member_count" not in room
    assert not [each for each in captured.captured_queries if "ROW_NUMBER" in each["sql"]]


# In the log


def test_counts_of_logged_frames_follow_who_is_taken_out(alice: Any, bob: Any, carol: Any) -> None:
    group = GroupChat.objects.create(name="group", creator=alice)
    group.participants.add(bob, carol)
    key = EventHandler(alice.pk).send_message(group.pk, "hello").message_id
    for reader in (bob, carol):
        EventHandler(reader.pk).read_messages([key])
        EventHandler(reader.pk).add_reaction(key, "+1")
    EventHandler(alice.pk).update_room(group.pk, {"name": "renamed"})

    erase_names({bob.pk: bob.get_username()}, within=[room_stream(group.pk)])

    assert last_event(group)["room"]["member_count"] == 2
    rows = StreamEvent.objects.filter(stream=room_stream(group.pk)).order_by("seq")
    told = [orjson.loads(row.payload) for row in rows if row.kind == "MessageReacted"][-1]
    for name in ("read_receipts", "reactions"):
        assert told["message"][f"{name}_count"] == len(told["message"][name]) == 1


def test_a_deleted_message_has_no_counts_in_the_log(alice: Any, bob: Any, group: GroupChat) -> None:
    key = EventHandler(alice.pk).send_message(group.pk, "hello").message_id
    EventHandler(bob.pk).add_reaction(key, "+1")
    told = last_event(group)["message"]
    assert (told["reactions_count"], len(told["reactions"])) == (1, 1)

    EventHandler(alice.pk).delete_messages([key])

    rows = StreamEvent.objects.filter(stream=room_stream(group.pk), kind="MessageReacted")
    blank = orjson.loads(rows.get().payload)["message"]
    assert (blank["reactions_count"], blank["reactions"], blank["content"]) == (0, [], "")
