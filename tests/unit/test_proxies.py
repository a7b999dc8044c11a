"""Rows that proxies of a project's own write and delete."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection

from gql_chat import signals
from gql_chat.errors import Invalid
from gql_chat.models import (
    GroupChat,
    Membership,
    Message,
)
from gql_chat.models.rules import Role
from gql_chat.operations import EventHandler
from tests.unit.making import frames
from tests.unit.memberships import held

_kept: list[type] = []  # signals know a sender by its address: none is given to another class


@pytest.fixture
def proxies() -> Iterator[Any]:
    """Makes proxies of models, as an app of a project's does, for one test."""
    made: list[str] = []

    def make(model: Any) -> Any:
        meta = type("Meta", (), {"proxy": True, "app_label": "gql_chat"})
        name = f"Own{model.__name__}"
        made.append(name.lower())
        proxy = type(name, (model,), {"Meta": meta, "__module__": __name__})
        _kept.append(proxy)
        signals.connect()
        return proxy

    yield make
    for name in made:
        del apps.all_models["gql_chat"][name]
    apps.clear_cache()


def test_a_membership_that_a_proxy_writes_begins_where_the_stream_stands(
    proxies: Any, group: GroupChat, alice: Any, carol: Any
) -> None:
    EventHandler(alice.pk).send_message(group.pk, "before")

    membership = proxies(Membership).objects.create(room=group, user=carol, role=Role.ADMIN)

    assert membership.joined_seq == 2
    assert held(group, carol) == set(group.rules.permissions)


def test_a_cap_holds_for_memberships_that_a_proxy_writes(
    proxies: Any, group: GroupChat, carol: Any
) -> None:
    GroupChat.objects.filter(pk=group.pk).update(max_participants=2)
    group.refresh_from_db()

    with pytest.raises(Invalid):
        proxies(Membership).objects.create(room=group, user=carol)


def test_what_is_deleted_by_proxies_is_told(
    proxies: Any, group: GroupChat, message: Message, bob: Any, carol: Any
) -> None:
    group.participants.add(carol)

    proxies(Message).objects.filter(pk=message.pk).delete()
    proxies(Membership).objects.filter(room=group, user=carol).delete()
    # Nobody is told of anything who is not there: that would refer to nobody.
    proxies(get_user_model()).objects.get(pk=bob.pk).delete()

    assert frames(group) == ["MessagesDeleted", "MembersRemoved", "MembersRemoved", "UserErased"]
    connection.check_constraints()
