"""Two processes on one database and one layer: whoever is connected where hears the same."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat.models import Membership, get_model
from gql_chat.operations import EventHandler
from tests.conftest import Connect, Orm, StartProcess, Users
from tests.processes.followers import Follower, everybody_has, following
from tests.servers import ChatProcess
from tests.timing import eventually
from tests.wire.rooms import (
    Message,
    Person,
    Room,
    create,
    everybody_gets,
    nobody_gets_anything,
    one_to_one,
    say,
)

Processes = tuple[ChatProcess, ChatProcess]


async def person_at(process: ChatProcess, user: AbstractUser, connect: Connect) -> Person:
    """One socket of a user, on a process."""
    return Person(user, await connect(user, url=process.url))


@dataclass
class Scene:
    """A group whose members, but for Carol, have a socket on each process.

    Attributes:
        alice, alice_there: the creator, on the one process and on the other.
        bob, bob_there: a member, on the other process and on the one.
        carol: no member, on the other process.
        room: the group.
        message: what Alice said in it.
    """

    alice: Person
    alice_there: Person
    bob: Person
    bob_there: Person
    carol: Person
    room: Room
    message: Message

    @property
    def members(self) -> list[Person]:
        """The sockets of the members, that of Alice who acts first."""
        return [self.alice, self.alice_there, self.bob, self.bob_there]


@pytest.fixture
async def scene(two_processes: Processes, connect: Connect, users: Users) -> Scene:
    one, other = two_processes
    alice, bob, carol = users.make("alice", "bob", "carol")
    sockets = [
        await person_at(one, alice, connect),
        await person_at(other, alice, connect),
        await person_at(other, bob, connect),
        await person_at(one, bob, connect),
        await person_at(other, carol, connect),
    ]
    first, alice_there, second, bob_there, third = sockets
    await first.send("room.create", {"type": "GroupChat", "name": "g", "participants": [bob.pk]})
    room = await everybody_gets("roomcreate.dispatch", first, alice_there, second, bob_there)
    message = await say(first, room, "Hello", alice_there, second, bob_there)
    return Scene(first, alice_there, second, bob_there, third, room, message)


# The delivery rule

BROADCASTS: dict[str, tuple[str, Callable[[Scene], dict[str, Any]]]] = {
    "message.send": (
        "message.dispatch",
        lambda scene: {"room_id": scene.room["id"], "content": "Hi"},
    ),
    "message.react": (
        "reaction.dispatch",
        lambda scene: {
            "type": "add",
            "message_id": scene.message["id"],
            "reaction_content": "+1",
        },
    ),
    "message.typing": ("messagetyping.dispatch", lambda scene: {"room_id": scene.room["id"]}),
    "message.modify": (
        "messagemodification.dispatch",
        lambda scene: {"action": "delete", "message_id": [scene.message["id"]]},
    ),
    "room.modify": (
        "roomupdate.dispatch",
        lambda scene: {"room_id": scene.room["id"], "action": "update", "data": {"name": "New"}},
    ),
}


@pytest.mark.parametrize("event_type", BROADCASTS)
async def test_a_broadcast_reaches_every_socket_of_every_member_and_nobody_else(
    event_type: str, scene: Scene
) -> None:
    dispatch, data = BROADCASTS[event_type]

    await scene.alice.send(event_type, data(scene))

    await everybody_gets(dispatch, *scene.members)
    # A second one stands behind whatever else the first could have caused.
    await say(scene.alice, scene.room, "Done", *scene.members[1:])
    await nobody_gets_anything(*scene.members, scene.carol)


async def test_a_read_receipt_reaches_every_socket_of_every_member(scene: Scene) -> None:
    await scene.bob.send("message.read", {"message_id": scene.message["id"]})

    read = await everybody_gets("readreceipt.dispatch", *scene.members)
    assert [receipt["reader"]["id"] for receipt in read["read_receipts"]] == [scene.bob.id]
    await say(scene.bob, scene.room, "Done", scene.alice, scene.alice_there, scene.bob_there)
    await nobody_gets_anything(*scene.members, scene.carol)


async def test_a_targeted_frame_reaches_every_socket_of_that_user_and_nobody_else(
    scene: Scene,
) -> None:
    await scene.bob.send("message.acknowledged", {"message_id": scene.message["id"]})

    (delivered,) = await everybody_gets("messagedelivered.dispatch", scene.alice, scene.alice_there)
    assert delivered["delivered_to"] == [scene.bob.name]
    await say(scene.bob, scene.room, "Done", scene.alice, scene.alice_there, scene.bob_there)
    await nobody_gets_anything(*scene.members, scene.carol)


async def test_a_private_answer_reaches_the_asking_socket_alone(scene: Scene) -> None:
    info = await scene.alice.ask("room.info", {"room_id": scene.room["id"]})
    listed = await scene.alice.ask("room.list")
    history = await scene.alice.ask("room.messages", {"room_id": scene.room["id"]})
    await scene.alice.refused(4003, "message.send", {"room_id": scene.room["id"], "content": ""})

    assert info["id"] == scene.room["id"]
    assert [room["id"] for room in listed] == [scene.room["id"]]
    assert [message["id"] for message in history["data"]["messages"]] == [scene.message["id"]]
    await say(scene.alice, scene.room, "Done", *scene.members[1:])
    await nobody_gets_anything(*scene.members, scene.carol)


async def test_a_deleted_room_is_gone_for_every_socket(scene: Scene) -> None:
    await scene.alice.send("room.modify", {"room_id": scene.room["id"], "action": "delete"})

    gone = await everybody_gets("roomdelete.dispatch", *scene.members)
    assert gone == {"room_id": scene.room["id"]}
    for member in scene.members:
        assert await member.ask("room.list") == []


# Coming and going


async def test_a_room_made_in_one_process_reaches_its_members_in_the_other(
    two_processes: Processes, connect: Connect, users: Users
) -> None:
    one, other = two_processes
    alice = await person_at(one, users("alice"), connect)
    bob = await person_at(other, users("bob"), connect)

    chat = await one_to_one(alice, bob)
    await say(bob, chat, "Hi", alice)
    for type, members in (("GroupChat", "participants"), ("Channel", "subscribers")):
        room = await create(alice, type, {"name": "x", members: [bob.id]}, bob)
        await say(alice, room, "Hi", bob)

    await nobody_gets_anything(alice, bob)


async def test_a_new_member_hears_from_the_other_process_at_once(
    scene: Scene, two_processes: Processes, connect: Connect
) -> None:
    carol_there = await person_at(two_processes[0], scene.carol.user, connect)

    await scene.alice.send(
        "room.add_members", {"room_id": scene.room["id"], "members": [scene.carol.id]}
    )

    everybody = [*scene.members, scene.carol, carol_there]
    added = await everybody_gets("roomaddmembers.dispatch", *everybody)
    assert added["new_members"] == [scene.carol.name]
    await say(scene.alice, scene.room, "Welcome", *everybody[1:])
    await say(scene.carol, scene.room, "Thanks", *scene.members, carol_there)
    await nobody_gets_anything(*everybody)


async def test_a_removed_member_hears_nothing_any_more(
    scene: Scene, two_processes: Processes, connect: Connect
) -> None:
    data = {"room_id": scene.room["id"], "members": [scene.carol.id]}
    await scene.alice.send("room.add_members", data)
    await everybody_gets("roomaddmembers.dispatch", *scene.members, scene.carol)

    await scene.alice.send("room.remove_members", data)
    for number in range(10):
        content = {"room_id": scene.room["id"], "content": f"{number}"}
        await scene.alice.send("message.send", content)

    goodbye = await scene.carol.expect("roomexit.dispatch")
    assert goodbye["message"] == f"You have been removed by {scene.alice.name}"
    await everybody_gets("roomremovemembers.dispatch", *scene.members)
    for number in range(10):
        # Bob stays on Carol's process: what he has got, she would have got.
        message = await everybody_gets("message.dispatch", *scene.members)
        assert message["content"] == f"{number}"
    await nobody_gets_anything(*scene.members, scene.carol)


async def test_somebody_who_leaves_hears_nothing_any_more_on_any_device(scene: Scene) -> None:
    await scene.bob.send("room.leave", {"room_id": scene.room["id"]})

    await everybody_gets("roomexit.dispatch", scene.bob, scene.bob_there)
    await everybody_gets("roomremovemembers.dispatch", scene.alice, scene.alice_there)
    await say(scene.alice, scene.room, "Alone", scene.alice_there)
    await nobody_gets_anything(*scene.members)


async def test_a_device_that_goes_leaves_the_others_of_its_user(scene: Scene) -> None:
    await scene.alice_there.close()
    await scene.bob_there.close()

    await say(scene.bob, scene.room, "Still there?", scene.alice)
    await say(scene.alice, scene.room, "Yes", scene.bob)
    await nobody_gets_anything(scene.alice, scene.bob)


# Order


async def test_all_sockets_get_one_order_that_keeps_that_of_each_sender(
    two_processes: Processes, users: Users, orm: Orm
) -> None:
    one, other = two_processes
    named = users.make("alice", "bob", "carol", "dave")
    places = [one, one, other, other]
    followers = [
        Follower(user, process.url, resumes=number % 2 == 0)
        for number, (user, process) in enumerate(zip(named, places, strict=True))
    ]
    creator, *others = named
    room = orm(
        EventHandler(creator.pk).create_room,
        "GroupChat",
        name="g",
        members=[user.pk for user in others],
    )
    said = {user: [f"{user.username}: {number}" for number in range(25)] for user in named}

    async with following(*followers):
        await asyncio.gather(
            *(follower.talk(room.pk, said[follower.user]) for follower in followers)
        )
        await everybody_has([text for texts in said.values() for text in texts], *followers)

    for user, texts in said.items():
        heard = [text for text in followers[0].contents if text.startswith(f"{user.username}:")]
        assert heard == texts


# Going on elsewhere


async def test_who_resumes_on_the_other_process_has_every_message_once_in_one_order(
    start_process: StartProcess, users: Users, orm: Orm
) -> None:
    one, other = start_process(), start_process()
    alice, bob, carol = users.make("alice", "bob", "carol")
    moving = [Follower(alice, one.url, other.url), Follower(bob, one.url, other.url)]
    staying = Follower(carol, other.url)
    room = orm(
        EventHandler(alice.pk).create_room, "GroupChat", name="g", members=[bob.pk, carol.pk]
    )
    said = {name: [f"{name} {number}" for number in range(40)] for name in ("alice", "carol")}

    async with following(*moving, staying):
        talking = asyncio.gather(
            moving[0].talk(room.pk, said["alice"]), staying.talk(room.pk, said["carol"])
        )
        await eventually(lambda: len(staying.contents) >= 10, "the talk is under way")
        one.kill()
        await talking
        await everybody_has(said["alice"] + said["carol"], *moving, staying)

        assert [follower.connections for follower in [*moving, staying]] == [2, 2, 1]
        await staying.say(room.pk, "last")
        await everybody_has([*said["alice"], *said["carol"], "last"], *moving, staying)


# Server code

Run = Callable[..., Awaitable[Any]]


def _group(creator: AbstractUser, *members: AbstractUser) -> Any:
    pks = [member.pk for member in members]
    return EventHandler(creator.pk).create_room("GroupChat", name="g", members=pks)


async def test_what_server_code_does_reaches_the_sockets_of_both_processes(
    two_processes: Processes, connect: Connect, users: Users, orm: Orm
) -> None:
    one, other = two_processes
    robot, alice, bob = users.make("robot", "alice", "bob")
    here, there = (await person_at(one, alice, connect)), await person_at(other, bob, connect)

    room = orm(_group, robot, alice, bob)
    created = await everybody_gets("roomcreate.dispatch", here, there)
    assert created["id"] == str(room.pk)

    sent = orm(EventHandler(robot.pk).send_message, room.pk, "hi")
    message = await everybody_gets("message.dispatch", here, there)
    assert (message["id"], message["content"]) == (str(sent.message_id), "hi")

    orm(EventHandler(robot.pk).remove_members, room.pk, [bob.pk])
    await there.expect("roomexit.dispatch")
    await here.expect("roomremovemembers.dispatch")
    orm(EventHandler(robot.pk).delete_room, room.pk)
    await here.expect("roomdelete.dispatch")
    await nobody_gets_anything(here, there)


async def test_members_that_plain_code_adds_hear_what_is_said_next(
    two_processes: Processes, connect: Connect, users: Users, orm: Orm
) -> None:
    robot, alice, bob, carol = users.make("robot", "alice", "bob", "carol")
    one, other = two_processes
    room = orm(_group, robot, alice)
    here, there = await person_at(one, alice, connect), await person_at(other, bob, connect)
    # Nobody on her process is in the room yet, while Alice is with Carol's.
    with_alice = await person_at(one, carol, connect)

    def add_and_greet() -> None:
        room.participants.add(bob)
        Membership.objects.create(room=room, user=carol)
        EventHandler(robot.pk).send_message(room.pk, "Welcome")

    orm(add_and_greet)

    message = await everybody_gets("message.dispatch", here, there, with_alice)
    assert message["content"] == "Welcome"
    await nobody_gets_anything(here, there, with_alice)


async def test_members_that_plain_code_removes_hear_nothing_of_what_is_said_next(
    two_processes: Processes, connect: Connect, users: Users, orm: Orm
) -> None:
    robot, alice, bob, carol = users.make("robot", "alice", "bob", "carol")
    one, other = two_processes
    room = orm(_group, robot, alice, bob, carol)
    # Alice stays, beside each of those who are removed.
    here, there = await person_at(one, alice, connect), await person_at(other, alice, connect)
    removed = [await person_at(one, bob, connect), await person_at(other, carol, connect)]

    def remove_and_talk() -> None:
        room.participants.remove(bob)
        Membership.objects.get(room=room, user=carol).delete()
        for number in range(5):
            EventHandler(robot.pk).send_message(room.pk, f"{number}")

    orm(remove_and_talk)

    first, second = removed
    for client, user, others in ((first, bob, [second]), (second, carol, [])):
        told = await everybody_gets("roomremovemembers.dispatch", here, there, *others)
        assert told["removed_members"] == [user.get_username()]
        exited = await client.expect("roomexit.dispatch")
        assert exited["message"] == "You have been removed"
    for number in range(5):
        message = await everybody_gets("message.dispatch", here, there)
        assert message["content"] == f"{number}"
    await nobody_gets_anything(here, there, *removed)


async def test_a_room_that_plain_code_deletes_is_gone_for_its_members(
    two_processes: Processes, connect: Connect, users: Users, orm: Orm
) -> None:
    one, other = two_processes
    alice, bob = users.make("alice", "bob")
    room, kept = orm(_group, alice, bob), orm(_group, alice, bob)
    here, there = await person_at(one, alice, connect), await person_at(other, bob, connect)

    orm(get_model("Room").objects.filter(pk=room.pk).delete)

    gone = await everybody_gets("roomdelete.dispatch", here, there)
    assert gone == {"room_id": str(room.pk)}
    await say(here, {"id": str(kept.pk)}, "Go on", there)
    await here.refused(4004, "message.send", {"room_id": str(room.pk), "content": "?"})
    await nobody_gets_anything(here, there)


async def test_a_socket_that_comes_while_others_talk_gets_no_message_twice(
    two_processes: Processes, users: Users, orm: Orm
) -> None:
    one, other = two_processes
    alice, bob = users.make("alice", "bob")
    room = orm(_group, alice, bob)
    talker, late = Follower(alice, one.url), Follower(bob, other.url, resumes=False)
    said = [f"{number}" for number in range(60)]

    async with following(talker):
        talking = asyncio.create_task(talker.talk(room.pk, said))
        await eventually(lambda: len(talker.contents) >= 10, "the talk is under way")
        async with following(late):
            await talking
            await eventually(lambda: late.contents[-1:] == said[-1:], "the end is heard")

    assert late.contents == said[-len(late.contents) :]
    assert len(late.contents) > 1
