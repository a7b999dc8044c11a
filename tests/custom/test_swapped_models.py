"""Swapped models and other rules, those of docs/examples/swapped_models, over the socket."""

import json

import strawberry
from django.test import override_settings

from docs.examples.swapped_models.models import Message, Reaction, Session, TeamChat
from gql_chat.models import StreamEvent, get_model
from gql_chat.schema import types as shown_types
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import everybody_gets, group, messages_of, people, say

TYPES = {"Message": "docs.examples.swapped_models.types.Message"}


@strawberry.type(name="QuotedMessage")
class Quote(shown_types.QuotedMessage):
    """A quoted message with its priority."""

    priority: str


def test_the_models_in_use_are_the_projects() -> None:
    assert get_model("Message") is Message
    assert get_model("Reaction") is Reaction
    assert get_model("Session") is Session


async def test_a_column_of_the_projects_is_stored_and_shown(
    connect: Connect, users: Users, orm: Orm
) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"SERIALIZERS": TYPES}):
        alice, bob = await people(connect, users, "alice", "bob")
        room = await group(alice, bob)
        message = await say(alice, room, "Hello", bob)
        orm(Message.objects.filter(pk=message["id"]).update, priority="high")
        await bob.send("message.read", {"message_id": message["id"]})
        read = await everybody_gets("readreceipt.dispatch", alice, bob)

    assert message["priority"] == "normal"
    assert read["priority"] == "high"


async def test_a_column_of_the_projects_is_copied_and_erased_with_the_rest(
    connect: Connect, users: Users, orm: Orm
) -> None:
    types = {**TYPES, "QuotedMessage": f"{__name__}.Quote"}
    with override_settings(REALTIME_CHAT_MESSAGING={"SERIALIZERS": types}):
        alice, bob = await people(connect, users, "alice", "bob")
        room = await group(alice, bob)
        message = await say(alice, room, "Hello", bob)
        orm(Message.objects.filter(pk=message["id"]).update, priority="a word")
        await bob.send("message.read", {"message_id": message["id"]})
        await everybody_gets("readreceipt.dispatch", alice, bob)
        quoting = {"forwarded_from_id": message["id"]}
        forward = await say(alice, room, "", bob, extra_fields=quoting)
        orm(Message.objects.filter(pk=message["id"]).update, priority="another")
        shown = (await messages_of(bob, room))[0]

        await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
        await everybody_gets("messagemodification.dispatch", alice, bob)

    assert forward["forwarded_from"]["priority"] == "a word"
    assert shown == forward
    frames = StreamEvent.objects.filter(stream=f"room:{room['id']}").order_by("seq")
    logged = [
        json.loads(payload) for payload in orm(list, frames.values_list("payload", flat=True))
    ]
    assert [logged[1]["message"]["priority"], logged[2]["messages"][0]["priority"]] == ["", ""]
    assert logged[3]["message"] == forward


async def test_a_room_type_with_other_rules_takes_effect_at_once(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    before = await group(alice, bob)
    add = {"room_id": before["id"], "members": [carol.id]}
    await bob.refused(4002, "room.add_members", add)

    with override_settings(
        REALTIME_CHAT_MESSAGING={"MODELS": {"GroupChat": "swapped_models.TeamChat"}}
    ):
        await bob.send("room.add_members", add)
        await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
        room = await group(alice, bob)
        assert [user["id"] for user in room["admins"]] == [alice.id]
        assert type(orm(get_model("Room").objects.get, pk=room["id"])) is TeamChat

    await bob.refused(4002, "room.add_members", {"room_id": room["id"], "members": [carol.id]})
