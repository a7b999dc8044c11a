"""What is loaded of messages and rooms."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from gql_chat.models import Delivery, GroupChat, Message, ReadReceipt, relations
from gql_chat.models.relations import load_messages


def test_users_of_all_that_hangs_on_messages_are_read_once(
    message: Message, alice: Any, bob: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    Delivery.objects.create(message=message, user=bob)
    ReadReceipt.objects.create(message=message, reader=bob)
    found = [Message.objects.get(pk=message.pk), Message.objects.get(pk=message.pk)]

    with django_assert_num_queries(6):
        first, second = load_messages(found)

    assert first.sender is second.sender
    assert first.relations.read_receipts[0].reader == bob
    assert first.relations.delivered_to == [bob.get_username()]
    with django_assert_num_queries(5):
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
