"""The races: what is done at the same moment, and which answers some order of it explains.

Each is a round in a lane of six users. Nothing may fail that would succeed in any order of what
was done at once; what is stored at the end is what one of these orders leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gql_chat.models import Membership, get_model
from tests.stress.racers import DONE, Lane
from tests.stress.stored import read

Race = Callable[[Lane, int], Awaitable[None]]

GONE = 4004
FORBIDDEN = 4002
RULE = 4003
DUPLICATE = 4005

RACES: dict[str, Race] = {}


def race(function: Race) -> Race:
    """Enter a race."""
    RACES[function.__name__] = function
    return function


def _members(room_id: str) -> Callable[[], int]:
    return lambda: Membership.objects.filter(room_id=room_id).count()


def _rows(model: str, **conditions: Any) -> Callable[[], int]:
    return lambda: get_model(model).objects.filter(**conditions).count()


def _stays(room_id: str, user: Any) -> Callable[[], int]:
    return lambda: Membership.objects.filter(room_id=room_id, user_id=user).count()


@race
async def caps_hold(lane: Lane, number: int) -> None:
    """Three admins add one person each, and there is one place."""
    owner, *admins, last = lane.first
    admins, others = admins[:2], [*admins[2:], last]
    room = await lane.make_room("GroupChat", owner, admins, max_participants=4)
    leaders = {"users": [admin.user for admin in admins]}
    await lane.do(owner, "room.modify", room_id=room, action="add_admin", data=leaders)
    adders = (lane.second[0], *admins)
    codes = await lane.race(
        *(
            (adder, "room.add_members", {"room_id": room, "members": [other.user]}, {DONE, RULE})
            for adder, other in zip(adders, others, strict=False)
        )
    )
    lane.expect(codes.count(DONE) == 1, f"{codes} entered a room with one place")
    lane.expect(await lane.count(_members(room)) == 4, f"{room} has not four members")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def a_pair_has_one_chat(lane: Lane, number: int) -> None:
    """Two people start their chat at the same moment, each on two devices."""
    one, other = lane.first[:2]
    starts = [(one, other), (other, one), (lane.second[0], other), (lane.second[1], one)]
    codes = await lane.race(
        *(
            (
                who,
                "room.create",
                {"type": "OneToOneChat", "participants": [whom.user]},
                {DONE, DUPLICATE},
            )
            for who, whom in starts
        )
    )
    lane.expect(codes.count(DONE) == 1, f"a pair was answered {codes}")
    chats = await read(
        lambda: [
            str(pk)
            for pk in get_model("Room")
            .objects.filter(memberships__user_id=one.user, type="OneToOneChat")
            .values_list("pk", flat=True)
        ]
    )
    lane.expect(len(chats) == 1, f"{one.name} has {len(chats)} chats with one person")
    for chat in chats:
        await lane.do(one, "room.modify", room_id=chat, action="delete")


@race
async def a_user_has_one_reaction(lane: Lane, number: int) -> None:
    """Everybody reacts on two devices at once, and one takes it back meanwhile."""
    owner, *others = lane.first
    room = await lane.make_room("GroupChat", owner, others)
    (message,) = await lane.say(owner, room)
    adding = [
        (racer, "message.react", _reaction("add", message, content), {DONE})
        for racers, content in ((others, "+1"), (lane.second[1:], "-1"))
        for racer in racers
    ]
    back = (others[0], "message.react", _reaction("remove", message, "+1"), {DONE, GONE})
    await lane.race(*adding, back)
    for racer in others:
        kept = await lane.count(_rows("Reaction", message_id=message, user_id=racer.user))
        least = int(racer is not others[0])
        lane.expect(least <= kept <= 1, f"{racer.name} has {kept} reactions")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


def _reaction(kind: str, message: str, content: str) -> dict[str, Any]:
    return {"type": kind, "message_id": message, "reaction_content": content}


@race
async def a_reader_has_one_receipt(lane: Lane, number: int) -> None:
    """Everybody reads the same on two devices; one reads a single message twice at once."""
    owner, *others = lane.first
    room = await lane.make_room("GroupChat", owner, others)
    *listed, single = await lane.say(owner, room, 4)
    codes = await lane.race(
        *(
            (racer, "message.read", {"message_id": listed}, {DONE})
            for racer in (*others, *lane.second[1:])
        ),
        (others[0], "message.read", {"message_id": single}, {DONE, DUPLICATE}),
        (lane.second[1], "message.read", {"message_id": single}, {DONE, DUPLICATE}),
    )
    lane.expect(codes[-2:].count(DONE) == 1, f"one message was read twice: {codes[-2:]}")
    receipts = await lane.count(_rows("ReadReceipt", message__room_id=room))
    lane.expect(receipts == 3 * len(others) + 1, f"{receipts} receipts")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def messages_go_while_they_are_used(lane: Lane, number: int) -> None:
    """The sender deletes what others acknowledge, read, react to, answer and forward."""
    owner, *others = lane.first
    room = await lane.make_room("GroupChat", owner, others)
    messages = await lane.say(owner, room, 6)
    doomed, kept = messages[:3], messages[3:]
    codes = {DONE, GONE}
    forward = {"room_id": room, "content": "", "extra_fields": {"forwarded_from_id": doomed[0]}}
    answer = {
        "room_id": room,
        "content": "<b>a</b>",
        "extra_fields": {"parent_message_id": doomed[1]},
    }
    await lane.race(
        (owner, "message.modify", {"action": "delete", "message_id": doomed}, {DONE}),
        (others[0], "message.acknowledged", {"message_id": messages}, codes),
        (lane.second[1], "message.read", {"message_id": messages}, codes),
        (others[1], "message.react", _reaction("add", doomed[2], "+1"), codes),
        (others[2], "message.send", forward, codes),
        (others[3], "message.send", answer, codes),
        (others[4], "message.acknowledged", {"message_id": kept}, {DONE}),
    )
    left = await lane.count(_rows("Message", pk__in=doomed))
    lane.expect(left == 0, f"{left} messages are still there that were deleted")
    for message in kept:
        await lane.do(others[0], "message.acknowledged", message_id=message)
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def a_message_is_edited_while_it_is_deleted(lane: Lane, number: int) -> None:
    """Two devices of one user: the one edits, the other deletes."""
    owner, *others = lane.first
    room = await lane.make_room("GroupChat", owner, others[:1])
    (message,) = await lane.say(owner, room)
    edit = {"action": "update", "message_id": message, "extra_fields": {"content": "<b>new</b>"}}
    await lane.race(
        (owner, "message.modify", edit, {DONE, GONE}),
        (lane.second[0], "message.modify", {"action": "delete", "message_id": message}, {DONE}),
    )
    lane.expect(await lane.count(_rows("Message", pk=message)) == 0, "an edit undid a deletion")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def somebody_leaves_while_they_are_removed(lane: Lane, number: int) -> None:
    """A member goes, is removed, and says something, all at once."""
    owner, member, *others = lane.first
    room = await lane.make_room("GroupChat", owner, [member, *others])
    await lane.race(
        (member, "room.leave", {"room_id": room}, {DONE, FORBIDDEN}),
        (owner, "room.remove_members", {"room_id": room, "members": [member.user]}, {DONE}),
        (lane.second[1], "message.send", {"room_id": room, "content": "x"}, {DONE, FORBIDDEN}),
        (others[0], "message.send", {"room_id": room, "content": "x"}, {DONE}),
    )
    lane.expect(await lane.count(_stays(room, member.user)) == 0, f"{member.name} is still in")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def the_last_two_leave(lane: Lane, number: int) -> None:
    """Both members leave: nobody is refused, and no empty room is left."""
    owner, member = lane.first[:2]
    room = await lane.make_room("GroupChat", owner, [member])
    await lane.race(
        (owner, "room.leave", {"room_id": room}, {DONE}),
        (lane.second[1], "room.leave", {"room_id": room}, {DONE}),
    )
    lane.expect(await lane.count(_rows("Room", pk=room)) == 0, "an empty room is left")


@race
async def a_right_is_taken_while_it_is_used(lane: Lane, number: int) -> None:
    """A subscriber sends while the right to do so is taken."""
    owner, member, *others = lane.first
    room = await lane.make_room("Channel", owner, [member, *others])
    right = {"users": [member.user], "permission": ["can_send_messages"]}
    await lane.do(owner, "room.modify", room_id=room, action="add_permission", data=right)
    taken = {"room_id": room, "action": "remove_permission", "data": right}
    saying = {"room_id": room, "content": "<b>x</b>"}
    await lane.race(
        (owner, "room.modify", taken, {DONE}),
        (member, "message.send", saying, {DONE, FORBIDDEN}),
        (lane.second[1], "message.send", saying, {DONE, FORBIDDEN}),
    )
    lane.judge(await member.ask("message.send", saying), {FORBIDDEN})
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def a_group_is_locked_while_members_talk(lane: Lane, number: int) -> None:
    """A group is locked: whoever is late is refused, and nobody is heard afterwards."""
    owner, *others = lane.first
    room = await lane.make_room("GroupChat", owner, others)
    locking = {"room_id": room, "action": "update", "data": {"group_locked": True}}
    saying = {"room_id": room, "content": "x"}
    await lane.race(
        (owner, "room.modify", locking, {DONE}),
        (lane.second[0], "message.send", saying, {DONE}),
        *((other, "message.send", saying, {DONE, FORBIDDEN}) for other in others),
    )
    lane.judge(await others[0].ask("message.send", saying), {FORBIDDEN})
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def an_admin_is_demoted_while_they_add(lane: Lane, number: int) -> None:
    """An admin who loses the role adds somebody, and removes somebody else."""
    owner, admin, member, newcomer = lane.first[:4]
    room = await lane.make_room("GroupChat", owner, [admin, member])
    leaders = {"users": [admin.user]}
    await lane.do(owner, "room.modify", room_id=room, action="add_admin", data=leaders)
    demotion = {"room_id": room, "action": "remove_admin", "data": leaders}
    adding = {"room_id": room, "members": [newcomer.user]}
    removing = {"room_id": room, "members": [member.user]}
    _, added, removed = await lane.race(
        (owner, "room.modify", demotion, {DONE}),
        (admin, "room.add_members", adding, {DONE, FORBIDDEN}),
        (lane.second[1], "room.remove_members", removing, {DONE, FORBIDDEN}),
    )
    is_in = await lane.count(_stays(room, newcomer.user)) == 1
    is_out = await lane.count(_stays(room, member.user)) == 0
    lane.expect(is_in == (added is DONE), f"adding was answered {added}, the member is in: {is_in}")
    lane.expect(is_out == (removed is DONE), f"removing: {removed}, the member is out: {is_out}")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def a_room_goes_while_it_is_used(lane: Lane, number: int) -> None:
    """The owner deletes a room in which everybody does something."""
    owner, *others = lane.first
    room = await lane.make_room("GroupChat", owner, others)
    home = await lane.make_room("GroupChat", others[0], others[1:])
    messages = await lane.say(owner, room, 2)
    codes = {DONE, GONE, FORBIDDEN}
    forward = {"room_id": home, "content": "", "extra_fields": {"forwarded_from_id": messages[0]}}
    await lane.race(
        (owner, "room.modify", {"room_id": room, "action": "delete"}, {DONE}),
        (others[0], "message.send", {"room_id": room, "content": "<b>x</b>"}, codes),
        (others[1], "message.acknowledged", {"message_id": messages}, codes),
        (others[2], "message.read", {"message_id": messages}, codes),
        (others[3], "message.react", _reaction("add", messages[0], "+1"), codes),
        (others[4], "room.leave", {"room_id": room}, codes),
        (lane.second[1], "message.send", forward, codes),
        (lane.second[2], "message.send", {"room_id": home, "content": "x"}, {DONE}),
    )
    lane.expect(await lane.count(_rows("Room", pk=room)) == 0, "a deleted room is there")
    await lane.do(others[0], "room.modify", room_id=home, action="delete")


@race
async def an_account_goes_while_it_is_used(lane: Lane, number: int) -> None:
    """A row of a user is deleted while they talk, and others use what they have said."""
    owner, *others = lane.first
    newcomer = await lane.newcomer(f"{owner.name}-newcomer-{number}")
    room = await lane.make_room("GroupChat", owner, [newcomer, *others])
    messages = await lane.say(newcomer, room, 2)
    codes = {DONE, GONE}
    # Their own socket is closed, so what is under way on it need not be answered.
    talking = asyncio.create_task(newcomer.ask("message.send", {"room_id": room, "content": "x"}))
    users = get_model("Session")._meta.get_field("user").related_model
    deleting = asyncio.create_task(read(lambda: users.objects.get(pk=newcomer.user).delete()))
    forward = {"room_id": room, "content": "", "extra_fields": {"forwarded_from_id": messages[0]}}
    await lane.race(
        (others[0], "message.acknowledged", {"message_id": messages}, codes),
        (others[1], "message.read", {"message_id": messages}, codes),
        (others[2], "message.react", _reaction("add", messages[1], "+1"), codes),
        (others[3], "message.send", forward, codes),
        (owner, "message.send", {"room_id": room, "content": "<b>x</b>"}, {DONE}),
    )
    await deleting
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    lane.expect(await lane.count(_stays(room, newcomer.user)) == 0, "a deleted user is a member")
    await lane.do(owner, "message.send", room_id=room, content="after")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def a_message_is_sent_three_times(lane: Lane, number: int) -> None:
    """One `client_id` on three sockets at once: all are told the same, one message is stored."""
    owner, member = lane.first[:2]
    room = await lane.make_room("GroupChat", owner, [member])
    (again,) = await lane.several(owner, 1) if not number else [lane.second[0]]
    sending = {"room_id": room, "content": "<b>x</b>", "client_id": f"{owner.name}-{number}"}
    await lane.race(
        (owner, "message.send", sending, {DONE}),
        (lane.second[0], "message.send", sending, {DONE}),
        (again, "message.send", sending, {DONE}),
    )
    stored = await lane.count(_rows("Message", room_id=room))
    lane.expect(stored == 1, f"{stored} messages of one client_id")
    await lane.do(owner, "room.modify", room_id=room, action="delete")


@race
async def somebody_joins_and_leaves(lane: Lane, number: int) -> None:
    """A public channel is joined, left and deleted at once."""
    owner, *others = lane.first
    room = await lane.make_room("Channel", owner, others[:2], is_public=True)
    await lane.race(
        (others[2], "room.join", {"room_id": room}, {DONE}),
        (lane.second[3], "room.leave", {"room_id": room}, {DONE, FORBIDDEN}),
        (others[3], "room.join", {"room_id": room}, {DONE}),
        (others[0], "room.leave", {"room_id": room}, {DONE}),
        (owner, "message.send", {"room_id": room, "content": "x"}, {DONE}),
    )
    lane.expect(await lane.count(_stays(room, others[3].user)) == 1, "who joined is not in")
    lane.expect(await lane.count(_stays(room, others[0].user)) == 0, "who left is in")
    codes = {DONE, GONE, FORBIDDEN}
    await lane.race(
        (owner, "room.modify", {"room_id": room, "action": "delete"}, {DONE}),
        (others[0], "room.join", {"room_id": room}, {DONE, GONE}),
        (others[1], "room.leave", {"room_id": room}, codes),
    )
    lane.expect(await lane.count(_rows("Room", pk=room)) == 0, "a deleted room is there")


ACKNOWLEDGED = 400
"""How many messages a member acknowledges while their room is deleted."""

DEVICES = 8


async def a_room_goes_while_a_member_catches_up(lane: Lane) -> None:
    """A member acknowledges 400 messages over eight sockets; the owner deletes the room.

    It takes longer than the others, so it is run a few times only.
    """
    owner, member, *others = lane.first
    room = await lane.make_room("GroupChat", owner, [member, *others])
    messages: list[str] = []
    for _ in range(ACKNOWLEDGED // 50):
        messages += await lane.say(owner, room, 50)
    devices = await lane.several(member, DEVICES)
    share = len(messages) // DEVICES
    begun = asyncio.Event()

    async def acknowledge(place: int) -> None:
        for message in messages[place * share : (place + 1) * share]:
            deed = await devices[place].ask("message.acknowledged", {"message_id": message})
            lane.judge(deed, {DONE, GONE, FORBIDDEN})
            begun.set()

    async def delete() -> None:
        await begun.wait()
        await lane.do(owner, "room.modify", room_id=room, action="delete")

    await asyncio.gather(delete(), *(acknowledge(place) for place in range(DEVICES)))
    lane.expect(await lane.count(_rows("Room", pk=room)) == 0, "a deleted room is there")
