"""One-to-one chats are of exactly two, whatever code acts."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from gql_chat.errors import Invalid
from gql_chat.models import (
    ChatNotification,
    Membership,
    Message,
    MessageMediaAsset,
    OneToOneChat,
    Reaction,
    ReadReceipt,
    Room,
    RoomProperty,
)
from tests.conftest import Users
from tests.unit.making import race
from tests.unit.memberships import REMOVALS, Way, ways


def test_a_pair_is_exactly_two(pair: OneToOneChat, alice: Any, bob: Any) -> None:
    assert set(pair.participants.all()) == {alice, bob}


THIRDS: dict[str, Way] = {
    "accessor": lambda room, user: room.participants.add(user),
    "create": lambda room, user: Membership.objects.create(room=room, user=user),
    "save": lambda room, user: Membership(room=room, user=user).save(),
    "related": lambda room, user: room.memberships.create(user=user),
    "manager": lambda room, user: Membership.objects.add(room, [user.pk]),
}


@ways(THIRDS)
def test_a_pair_refuses_a_third(pair: OneToOneChat, carol: Any, way: Way) -> None:
    with pytest.raises(Invalid):
        way(pair, carol)

    assert pair.participants.count() == 2


def test_nobody_is_taken_out_of_a_pair(pair: OneToOneChat, bob: Any) -> None:
    with pytest.raises(Invalid):
        pair.participants.remove(bob)

    assert pair.participants.count() == 2


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("way", ["account", "accounts", "delete", "queryset"])
def test_a_pair_goes_with_either_of_the_two(
    pair: OneToOneChat, request: pytest.FixtureRequest, who: str, way: str
) -> None:
    alice, bob = request.getfixturevalue("alice"), request.getfixturevalue("bob")
    for sender, other in ((alice, bob), (bob, alice)):
        message = Message.objects.create(room=pair, sender=sender, content="hello")
        ReadReceipt.objects.create(message=message, reader=other)
        Reaction.objects.create(message=message, user=other, reaction_content="+1")
        MessageMediaAsset.objects.create(
            message=message, media_url="https://x.test/", media_type="image", mime_type="image/png"
        )

    REMOVALS[way](pair, request.getfixturevalue(who))

    for model in (
        Room,
        RoomProperty,
        Membership,
        Message,
        ChatNotification,
        ReadReceipt,
        Reaction,
        MessageMediaAsset,
    ):
        assert not model._default_manager.exists(), model


def test_pairs_go_when_both_accounts_go_at_once(pair: OneToOneChat, alice: Any, bob: Any) -> None:
    get_user_model().objects.filter(pk__in=[alice.pk, bob.pk]).delete()

    assert not Room.objects.filter(pk=pair.pk).exists()


def test_two_racing_starts_give_one_chat(users: Users, committed_database: None) -> None:
    for _ in range(5):
        alice, bob = users.make("alice", "bob")
        orders = [(alice, bob), (bob, alice)] * 2

        chats = race(len(orders), lambda number: OneToOneChat.objects.start(*orders[number]))  # noqa: B023

        assert {getattr(chat, "pk", chat) for chat in chats} == {
            OneToOneChat.objects.between(alice, bob).pk
        }
        assert Membership.objects.filter(user=alice).count() == 1
