"""Users and rooms of tests that work in pytest-django's transaction."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType

from gql_chat import streams
from gql_chat.models import Channel, GroupChat, Message, OneToOneChat, Room
from gql_chat.streams import Envelope
from tests.conftest import Users


@pytest.fixture
def alice(db: None, users: Users) -> Any:
    """A user, in the test's transaction."""
    # The cache of content types outlives tests; a query for it belongs to none of them.
    ContentType.objects.get_for_model(Room)
    return users("alice")


@pytest.fixture
def bob(db: None, users: Users) -> Any:
    """Another user."""
    return users("bob")


@pytest.fixture
def carol(db: None, users: Users) -> Any:
    """A third user."""
    return users("carol")


@pytest.fixture
def group(alice: Any, bob: Any) -> GroupChat:
    """A group of alice's, with bob."""
    group = GroupChat.objects.create(name="group", creator=alice)
    group.participants.add(bob)
    return group


@pytest.fixture
def channel(alice: Any, bob: Any) -> Channel:
    """A channel of alice's, with bob."""
    channel = Channel.objects.create(name="channel", creator=alice)
    channel.subscribers.add(bob)
    return channel


@pytest.fixture
def pair(alice: Any, bob: Any) -> OneToOneChat:
    """The chat of alice and bob."""
    return OneToOneChat.objects.start(alice, bob)


@pytest.fixture
def message(group: GroupChat, alice: Any) -> Message:
    """A message of alice's in the group, which waits for bob."""
    return Message.objects.create(room=group, sender=alice, content="hello")


@pytest.fixture
def published() -> Iterator[list[Envelope]]:
    """What this process publishes while the test runs."""
    envelopes: list[Envelope] = []
    streams.subscribe(envelopes.extend)
    yield envelopes
    streams.unsubscribe(envelopes.extend)


@pytest.fixture
def room(kind: str, request: pytest.FixtureRequest) -> Any:
    """A group or a channel of alice's, with bob."""
    return request.getfixturevalue(kind)
