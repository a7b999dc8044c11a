"""The names of streams and groups, and envelopes on their way through the layer."""

from typing import Any

import msgpack
import pytest
from channels.layers import InMemoryChannelLayer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gql_chat.streams import Envelope, group_name, room_stream, user_stream


def test_streams_are_named_as_documented() -> None:
    assert room_stream("6a0c") == "room:6a0c"
    assert user_stream(2) == "user:2"


ODD = [
    "",
    " ",
    "a b",
    "a:b",
    "ü",
    "😀",
    "\0",
    "x" * 80,
    "x" * 81,
    "x" * 500,
    "alice@example.com",
    "a\n",
    "-1",
    "2",
    "6f3a1c52-8a0e-4b7d-9c41-2e5d7f90a1b3",
]


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize("kind", ["user", "room"])
def test_every_stream_has_a_group_that_any_layer_takes(kind: str, key: str) -> None:
    name = group_name(f"{kind}:{key}")

    assert InMemoryChannelLayer().require_valid_group_name(name)
    assert len(name) < 100


@given(one=st.text(), other=st.text())
@example(one="a b", other="a_b")
@example(one="ü", other="u")
@settings(deadline=None)
def test_streams_have_groups_of_their_own(one: str, other: str) -> None:
    assert (group_name(f"user:{one}") == group_name(f"user:{other}")) == (one == other)
    assert group_name(f"user:{one}") != group_name(f"room:{one}")


@pytest.mark.parametrize("change", [None, {"joined": ["1", "x"]}, {"left": ["1"], "closed": True}])
def test_an_envelope_survives_the_layer(change: Any) -> None:
    envelope = Envelope("room:1", 2**40, "MessageSent", '{"a": "😀"}', change)

    message = msgpack.unpackb(msgpack.packb(envelope.to_message()))

    assert Envelope.from_message(message) == envelope


def test_a_frame_rings_for_the_room_and_for_those_who_join() -> None:
    envelope = Envelope("room:1", 1, "MembersAdded", "{}", {"joined": ["2", "a b"]})

    assert envelope.groups() == [group_name(s) for s in ("room:1", "user:2", "user:a b")]
    assert Envelope("room:1", 1, "MessageSent", "{}").groups() == [group_name("room:1")]
