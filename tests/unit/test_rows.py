"""Instances that kept statements make of rows."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Exists, F, OuterRef
from django.db.models.signals import post_init, pre_init

from gql_chat.models import (
    AbstractRoom,
    Delivery,
    GroupChat,
    Membership,
    Message,
    ReadReceipt,
    Room,
    get_model,
    relations,
    rows,
)
from gql_chat.models.relations import load_messages
from gql_chat.sql.statements import Among, Many, Statement, find_by


def find(model: Any, instance: Any, *related: str) -> Any:
    """Return the instance as a kept statement finds it."""

    def select() -> Any:
        return model.objects.select_related(*related) if related else model.objects.all()

    statement: Statement[Any] = find_by(select, "id")
    return statement.first(instance.pk)


def attributes(instance: models.Model) -> dict[str, Any]:
    return {name: value for name, value in vars(instance).items() if name != "_state"}


@contextmanager
def changed(model: type, name: str, value: Any) -> Iterator[None]:
    """A model with an attribute of the project's making."""
    with patch.object(model, name, value, create=True):
        yield


@contextmanager
def listening(signal: Any, model: type) -> Iterator[list[Any]]:
    """Somebody who listens to instances of a model being made; what they hear of."""
    heard: list[Any] = []

    def listen(sender: type, **kwargs: Any) -> None:
        heard.append(sender)

    signal.connect(listen, sender=model)
    try:
        yield heard
    finally:
        signal.disconnect(listen, sender=model)


def test_an_instance_is_what_django_makes(message: Message) -> None:
    found = find(Message, message, "sender")
    made = Message.objects.select_related("sender").get(pk=message.pk)

    assert type(found) is Message
    assert attributes(found) == attributes(made)
    assert attributes(found.sender) == attributes(made.sender)
    assert (found._state.adding, found._state.db) == (made._state.adding, made._state.db)
    assert found._state.fields_cache == made._state.fields_cache


def test_an_instance_can_be_changed_and_saved(message: Message) -> None:
    found = find(Message, message)
    found.content = "changed"
    found.save()

    assert Message.objects.get().content == "changed"
    assert found.room == message.room


@pytest.mark.parametrize("signal", [pre_init, post_init])
def test_who_listens_to_instances_being_made_hears_of_them(signal: Any, message: Message) -> None:
    with listening(signal, Message) as heard:
        find(Message, message)

    assert heard == [Message]


class _Shouting:
    """A descriptor of a field that changes what is set."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else instance.__dict__["content"]

    def __set__(self, instance: Any, value: str) -> None:
        instance.__dict__["content"] = value.upper()


def _init(self: Any, *args: Any, **kwargs: Any) -> None:
    models.Model.__init__(self, *args, **kwargs)
    self.content = self.content.upper()


def _from_db(cls: Any, *args: Any, **kwargs: Any) -> Any:
    made = models.Model.from_db.__func__(cls, *args, **kwargs)  # type: ignore[attr-defined]
    made.content = made.content.upper()
    return made


@pytest.mark.parametrize(
    ("name", "value"),
    [("__init__", _init), ("from_db", classmethod(_from_db)), ("content", _Shouting())],
)
def test_a_model_that_makes_its_instances_in_its_own_way_makes_them(
    name: str, value: Any, message: Message
) -> None:
    with changed(Message, name, value):
        assert find(Message, message).content == "HELLO"
    assert find(Message, message).content == "hello"


def test_values_are_what_django_makes_of_them(message: Message, alice: Any, bob: Any) -> None:
    def select(ids: Any) -> Any:
        read = ReadReceipt.objects.filter(message_id=OuterRef("pk"))
        return (
            Message.objects.filter(Among(F("id"), ids))
            .annotate(is_read=Exists(read))
            .values_list("id", "created_at", "sender_id", "parent_message_id", "is_read")
        )

    statement: Statement[Any] = Statement(select, lambda: [Many(Message._meta.pk)])

    expected = (message.pk, message.created_at, alice.pk, None, False)
    assert statement.all([message.pk]) == [expected]
    assert [type(value) for value in statement.all([message.pk])[0]] == [
        uuid.UUID,
        datetime,
        type(alice.pk),
        type(None),
        bool,
    ]
    assert statement.all([message.pk])[0][1].tzinfo is UTC
    ReadReceipt.objects.create(message=message, reader=bob)
    assert statement.all([message.pk])[0][-1] is True


def test_users_of_all_that_hangs_on_messages_are_read_once(
    message: Message, alice: Any, bob: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    Delivery.objects.create(message=message, user=bob)
    ReadReceipt.objects.create(message=message, reader=bob)
    found = [Message.objects.get(pk=message.pk), Message.objects.get(pk=message.pk)]

    with django_assert_num_queries(5):
        first, second = load_messages(found)

    assert first.sender is second.sender
    assert first.relations.read_receipts[0].reader == bob
    assert first.relations.delivered_to == [bob.get_username()]
    with django_assert_num_queries(4):
        load_messages(found, {bob.pk: bob})


def test_what_goes_with_an_account_while_it_is_read_is_left_out(
    message: Message, group: GroupChat, alice: Any, bob: Any
) -> None:
    Delivery.objects.create(message=message, user=bob)
    ReadReceipt.objects.create(message=message, reader=bob)
    by_bob = Message.objects.create(room=group, sender=bob, content="bye")
    find_users = relations._users.all

    def without_bob(ids: Any) -> list[Any]:
        return [user for user in find_users(ids) if user != bob]

    messages = list(Message.objects.filter(pk__in=[message.pk, by_bob.pk]))
    with patch.object(relations._users, "all", without_bob):
        (shown,) = load_messages(messages)

    assert shown == message
    assert (shown.relations.read_receipts, shown.relations.delivered_to) == ([], [])


def test_the_models_that_are_loaded_most_are_made_without_detour() -> None:
    # Else the tests above would compare Django with itself.
    models = (Message, Membership, get_user_model(), Room, GroupChat)
    assert all(rows._is_plain(model) for model in models)


# Rooms, whose class a column says


def test_a_room_is_what_django_makes(group: GroupChat) -> None:
    found, made = find(Room, group), Room.objects.get(pk=group.pk)

    assert type(found) is type(made) is GroupChat
    assert attributes(found) == attributes(made)


def test_a_room_of_no_known_type_is_a_room(group: GroupChat) -> None:
    Room.objects.filter(pk=group.pk).update(type="Hall", max_participants=None)

    assert type(find(Room, group)) is Room


@pytest.mark.parametrize("signal", [pre_init, post_init])
def test_who_listens_to_rooms_of_a_type_hears_of_them(signal: Any, group: GroupChat) -> None:
    with listening(signal, GroupChat) as heard:
        find(Room, group)

    assert heard == [GroupChat]


def _room_init(self: Any, *args: Any, **kwargs: Any) -> None:
    AbstractRoom.__init__(self, *args, **kwargs)
    self.name = self.name.upper()


def _room_from_db(cls: Any, *args: Any, **kwargs: Any) -> Any:
    made = AbstractRoom.from_db.__func__(cls, *args, **kwargs)  # type: ignore[attr-defined]
    made.name = made.name.upper()
    return made


@pytest.mark.parametrize(
    ("model", "name", "own"),
    [
        (GroupChat, "__init__", _room_init),
        (Room, "__init__", _room_init),
        (Room, "from_db", classmethod(_room_from_db)),
    ],
)
def test_a_room_that_makes_its_instances_in_its_own_way_makes_them(
    model: type, name: str, own: Any, group: GroupChat
) -> None:
    with changed(model, name, own):
        assert find(Room, group).name == group.name.upper()
    assert find(Room, group).name == group.name


# New instances


def given_values(message: Message, group: GroupChat, alice: Any) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    return [
        {"room": group, "sender": alice, "content": "hi"},
        {"room_id": group.pk, "sender_id": alice.pk, "content": "hi", "created_at": now},
        {"room": group, "sender": alice, "parent_message": message, "forwarded_from": None},
        {"room": group, "sender": alice, "is_deleted": True, "parent_message_id": message.pk},
        {},
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_new_instance_is_what_the_model_makes(
    number: int, message: Message, group: GroupChat, alice: Any
) -> None:
    values = given_values(message, group, alice)[number]

    found, made = rows.new(Message, **values), Message(**values)

    varied = {"id", "created_at", "updated_at"} - values.keys()
    for instance in (found, made):
        assert isinstance(instance.id, uuid.UUID)
        assert instance.created_at.tzinfo is UTC
    assert {name: value for name, value in attributes(found).items() if name not in varied} == {
        name: value for name, value in attributes(made).items() if name not in varied
    }
    assert (found._state.adding, found._state.db) == (made._state.adding, made._state.db)
    links = ("room", "sender", "parent_message", "forwarded_from")
    assert [getattr(found, name, "none") for name in links if values] == [
        getattr(made, name, "none") for name in links if values
    ]


def test_a_new_room_is_what_its_type_makes_of_it(alice: Any) -> None:
    made = rows.new(GroupChat, name="new", creator=alice)

    assert (made.type, made.max_participants) == ("GroupChat", 100)


def test_no_new_instance_has_the_key_of_another(group: GroupChat, alice: Any) -> None:
    made = [rows.new(Message, room=group, sender=alice) for _ in range(3)]

    assert len({message.pk for message in made}) == 3


def test_what_is_no_column_is_left_to_django(group: GroupChat) -> None:
    with pytest.raises(TypeError, match="color"):
        rows.new(Message, room=group, color="red")
    # A name that Django knows for a column.
    assert rows.new(Message, room=group, pk=group.pk).id == group.pk


@pytest.mark.parametrize("signal", [pre_init, post_init])
def test_who_listens_hears_of_new_instances(signal: Any, group: GroupChat, alice: Any) -> None:
    with listening(signal, Message) as heard:
        rows.new(Message, room=group, sender=alice)

    assert heard == [Message]


def test_a_model_with_an_init_of_its_own_is_made_by_it(group: GroupChat) -> None:
    rows._find_blank.cache_clear()
    try:
        with changed(Message, "__init__", _init):
            assert rows.new(Message, room=group, content="hello").content == "HELLO"
    finally:
        rows._find_blank.cache_clear()
    assert rows.new(Message, room=group, content="hello").content == "hello"


@pytest.mark.parametrize(
    "model", ["Message", "ChatNotification", "Reaction", "ReadReceipt", "Session"]
)
def test_the_models_that_are_made_most_are_made_without_detour(model: str) -> None:
    found = get_model(model)

    assert rows._find_blank(found).takes({field.name: None for field in found._meta.fields})
