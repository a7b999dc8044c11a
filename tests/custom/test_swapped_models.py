"""Swapped models and other rules, those of docs/examples/swapped_models, over the socket."""

from django.test import override_settings

from docs.examples.swapped_models.models import Message, Reaction, Session, TeamChat
from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import everybody_gets, group, people, say

TYPES = {"Message": "docs.examples.swapped_models.types.Message"}


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
