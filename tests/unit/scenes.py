"""A user's rooms with some of everything in them, and every event in all its forms."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from event_bridge.events import map_lifecycle
from gql_chat.models import (
    Channel,
    ChatNotification,
    Delivery,
    GroupChat,
    Mention,
    Message,
    MessageMediaAsset,
    NotificationType,
    OneToOneChat,
    Pin,
    Reaction,
    ReadReceipt,
    Room,
    RoomPreferences,
    SavedMessage,
    get_model,
)
from tests.conftest import Users
from tests.unit.making import perform, perform_lifecycle


class Scene:
    """Rooms of one user, `owner`, in which there is `size` of everything.

    Attributes:
        group: the owner's, with members; every message in it was acknowledged and read by all
            members but the newest (`reader`), and many reacted.
        channel: the owner's; `public`: somebody else's, with subscribers.
        mine, theirs: messages in the group, by the owner and by a member.
        latest: the room that was made last.
        newest: the newest notification that waits for the owner.
        socket: the channel name of a session of the owner's.
        strangers: users who share no room with the owner.
    """

    def __init__(self, users: Users, size: int) -> None:
        self.owner, self.reader, self.joiner = users.make("owner", "reader", "joiner")
        self.members = users.make(*["member"] * size)
        self.strangers = users.make(*["stranger"] * size)
        self.group = GroupChat.objects.create(name="group", creator=self.owner)
        self.group.participants.add(*self.members, self.reader)
        self.group.admins.add(*self.members[: size // 3])
        self.channel = Channel.objects.create(name="channel", creator=self.owner)
        self.channel.subscribers.add(*self.members)
        self.channel.moderators.add(*self.members[: size // 3])
        self.public = Channel.objects.create(name="all", creator=self.members[0], is_public=True)
        self.public.subscribers.add(*self.members[1:])
        self.socket = f"of {self.owner.pk}"
        get_model("Session").objects.create(user=self.owner, channel_name=self.socket)
        self.alone = GroupChat.objects.create(name="alone", creator=self.owner)
        for number, stranger in enumerate(self.members):
            self._write(OneToOneChat.objects.start(self.owner, stranger), stranger, 2)
            room = GroupChat.objects.create(name=f"group {number}", creator=stranger)
            room.participants.add(self.owner)
            self._write(room, stranger, 2)
            self.latest = room
        # Last, so that it is among the newest of all that waits.
        self.mine = self._write(self.group, self.owner, size)
        self.theirs = self._write(self.group, self.members[0], size)
        self.newest = str(ChatNotification.objects.get(message=self.theirs[-1]).pk)
        for message in self.mine[1:]:
            Pin.objects.create(room=self.group, message=message, user=self.reader)
            SavedMessage.objects.create(user=self.owner, message=message)
        Mention.objects.bulk_create(
            Mention(
                message=each, user=user, room=self.group, created_at=each.created_at, by_name=True
            )
            for each in self.theirs
            for user in (self.owner, *self.members)
        )
        RoomPreferences.objects.bulk_create(
            RoomPreferences(room=room, user=self.owner, notify="all")
            for room in Room.objects.filter(memberships__user=self.owner).exclude(pk=self.group.pk)
        )
        Reaction.objects.create(
            message=self.theirs[1], user=self.owner, reaction_content="as before"
        )

    def _write(self, room: Any, sender: Any, count: int) -> list[Message]:
        messages = [
            Message(room=room, sender=sender, content=f"message {number}", created_at=now)
            for number in range(count)
            if (now := timezone.now())
        ]
        Message.objects.bulk_create(messages)
        ChatNotification.objects.bulk_create(
            ChatNotification(
                notification_type=NotificationType.NEW_MESSAGE,
                message=message,
                room=room,
                actor=sender,
                created_at=message.created_at,
            )
            for message in messages
        )
        MessageMediaAsset.objects.bulk_create(
            MessageMediaAsset(
                message=message,
                media_url="https://example.com/",
                media_type="image",
                mime_type="image/png",
            )
            for message in messages
        )
        done = [
            (message, member)
            for message in messages
            for member in (self.members if room is self.group else ())
            if member != sender
        ]
        Delivery.objects.bulk_create(Delivery(message=m, user=user) for m, user in done)
        ReadReceipt.objects.bulk_create(ReadReceipt(message=m, reader=user) for m, user in done)
        Reaction.objects.bulk_create(
            Reaction(message=m, user=user, reaction_content="+1") for m, user in done
        )
        return messages


# The events. Where a request lists users or messages, the list grows with the scene too.

Data = Callable[[Scene], dict[str, Any]]


def ids(rows: list[Any]) -> list[Any]:
    """Primary keys, as JSON has them."""
    return [row.pk if isinstance(row.pk, int) else str(row.pk) for row in rows]


def modify(action: str, which: str, **data: Callable[[Scene], Any]) -> Data:
    """Return the data of a room's change."""

    def build(scene: Scene) -> dict[str, Any]:
        built: dict[str, Any] = {
            "action": action,
            "room_id": str(getattr(scene, which).pk),
        }
        if data:
            built["data"] = {name: value(scene) for name, value in data.items()}
        return built

    return build


def members(scene: Scene) -> Any:
    """Return the members' ids."""
    return ids(scene.members)


def leaders(scene: Scene) -> Any:
    """Return the ids of those who lead."""
    return ids(scene.members[: len(scene.members) // 3])


def followers(scene: Scene) -> Any:
    """Return the ids of those who do not."""
    return ids(scene.members[len(scene.members) // 3 :])


def send(scene: Scene, **more: Any) -> dict[str, Any]:
    """Return the data of a message to the group."""
    return {"room_id": str(scene.group.pk), "content": "hello", **more}


MEDIA = {
    "media_url": "https://example.com/cat.png",
    "media_type": "image",
    "mime_type": "image/png",
    "file_size": 1,
}

#: For each case: who acts, the event, its data.
CASES: dict[str, tuple[str, str, Data]] = {
    "message.send": ("owner", "message.send", send),
    "message.send reply": (
        "owner",
        "message.send",
        lambda s: send(s, extra_fields={"parent_message_id": str(s.theirs[0].pk)}),
    ),
    "message.send forward": (
        "owner",
        "message.send",
        lambda s: send(s, extra_fields={"forwarded_from_id": str(s.theirs[0].pk)}),
    ),
    "message.send media": (
        "owner",
        "message.send",
        lambda s: send(s, extra_fields={"media": [MEDIA] * len(s.members)}),
    ),
    "message.send client_id": ("owner", "message.send", lambda s: send(s, client_id="mine")),
    "message.acknowledged one": (
        "reader",
        "message.acknowledged",
        lambda s: {"message_id": str(s.theirs[0].pk)},
    ),
    "message.acknowledged many": (
        "reader",
        "message.acknowledged",
        lambda s: {"message_id": ids(s.theirs)},
    ),
    "message.read one": ("reader", "message.read", lambda s: {"message_id": str(s.theirs[0].pk)}),
    "message.read many": ("reader", "message.read", lambda s: {"message_id": ids(s.theirs)}),
    "message.react add": (
        "owner",
        "message.react",
        lambda s: {
            "type": "add",
            "message_id": str(s.theirs[0].pk),
            "reaction_content": "+1",
        },
    ),
    "message.react replace": (
        "owner",
        "message.react",
        lambda s: {
            "type": "add",
            "message_id": str(s.theirs[1].pk),
            "reaction_content": "+1",
        },
    ),
    "message.react remove": (
        "owner",
        "message.react",
        lambda s: {
            "type": "remove",
            "message_id": str(s.theirs[1].pk),
            "reaction_content": "as before",
        },
    ),
    "message.pin": ("owner", "message.pin", lambda s: {"message_id": str(s.theirs[0].pk)}),
    "message.unpin": ("owner", "message.unpin", lambda s: {"message_id": str(s.mine[1].pk)}),
    "room.pins": ("owner", "room.pins", lambda s: {"room_id": str(s.group.pk)}),
    "room.pins before": (
        "owner",
        "room.pins",
        lambda s: {
            "room_id": str(s.group.pk),
            "paginate": {"before": str(s.mine[-1].pk), "size": 100},
        },
    ),
    "message.save": ("owner", "message.save", lambda s: {"message_id": str(s.theirs[0].pk)}),
    "message.unsave": ("owner", "message.unsave", lambda s: {"message_id": str(s.mine[1].pk)}),
    "saved.list": ("owner", "saved.list", lambda s: {}),
    "saved.list before": (
        "owner",
        "saved.list",
        lambda s: {"paginate": {"before": str(s.mine[-1].pk), "size": 100}},
    ),
    "message.typing": ("owner", "message.typing", lambda s: {"room_id": str(s.group.pk)}),
    "message.modify update": (
        "owner",
        "message.modify",
        lambda s: {
            "action": "update",
            "message_id": str(s.mine[0].pk),
            "extra_fields": {"content": "better"},
        },
    ),
    "message.modify delete one": (
        "owner",
        "message.modify",
        lambda s: {"action": "delete", "message_id": str(s.mine[0].pk)},
    ),
    "message.modify delete many": (
        "owner",
        "message.modify",
        lambda s: {"action": "delete", "message_id": ids(s.mine)},
    ),
    "room.create OneToOneChat": (
        "owner",
        "room.create",
        lambda s: {"type": "OneToOneChat", "participants": [s.strangers[0].pk]},
    ),
    "room.create GroupChat": (
        "owner",
        "room.create",
        lambda s: {"type": "GroupChat", "name": "new", "participants": ids(s.strangers)},
    ),
    "room.create Channel": (
        "owner",
        "room.create",
        lambda s: {"type": "Channel", "name": "new", "subscribers": ids(s.strangers)},
    ),
    "room.list": ("owner", "room.list", lambda s: {}),
    "room.list page": (
        "owner",
        "room.list",
        lambda s: {"paginate": {"before": str(s.latest.pk), "size": 3}},
    ),
    "room.list filter": (
        "owner",
        "room.list",
        lambda s: {"filter": {"type": "GroupChat", "unread": True, "query": "group"}},
    ),
    "room.members": ("owner", "room.members", lambda s: {"room_id": str(s.group.pk)}),
    "room.members page": (
        "owner",
        "room.members",
        lambda s: {
            "room_id": str(s.group.pk),
            "paginate": {"after": ids([s.owner])[0], "size": 3},
            "query": "mem",
            "role": "member",
        },
    ),
    "user.find": ("owner", "user.find", lambda s: {"query": "mem"}),
    "user.find page": (
        "owner",
        "user.find",
        lambda s: {"query": "mem", "paginate": {"after": ids(s.members)[0], "size": 3}},
    ),
    "room.info": ("owner", "room.info", lambda s: {"room_id": str(s.group.pk)}),
    "room.messages": ("owner", "room.messages", lambda s: {"room_id": str(s.group.pk)}),
    "room.messages page": (
        "owner",
        "room.messages",
        lambda s: {"room_id": str(s.group.pk), "paginate": {"page": 2, "size": 3}},
    ),
    "room.messages before": (
        "owner",
        "room.messages",
        lambda s: {
            "room_id": str(s.group.pk),
            "paginate": {"before": str(s.theirs[-1].pk), "size": 100},
        },
    ),
    "notification.list": ("owner", "notification.list", lambda s: {}),
    "notification.list before": (
        "owner",
        "notification.list",
        lambda s: {
            "paginate": {
                "before": s.newest,
                "size": 2,
            }
        },
    ),
    "room.read": ("reader", "room.read", lambda s: {"room_id": str(s.group.pk)}),
    "room.read up to one": (
        "reader",
        "room.read",
        lambda s: {"room_id": str(s.group.pk), "up_to": str(s.theirs[0].pk)},
    ),
    "room.unread": (
        "reader",
        "room.unread",
        lambda s: {"room_id": str(s.group.pk), "from": str(s.theirs[0].pk)},
    ),
    "unread.list": ("owner", "unread.list", lambda s: {}),
    "unread.list of a room": ("owner", "unread.list", lambda s: {"room_id": str(s.group.pk)}),
    "message.send mentions": (
        "owner",
        "message.send",
        lambda s: send(s, extra_fields={"mentions": {"users": members(s), "room": True}}),
    ),
    "message.modify update mentions": (
        "owner",
        "message.modify",
        lambda s: {
            "action": "update",
            "message_id": str(s.mine[0].pk),
            "extra_fields": {"mentions": {"users": members(s), "room": True}},
        },
    ),
    "mention.list": ("owner", "mention.list", lambda s: {}),
    "mention.list before": (
        "owner",
        "mention.list",
        lambda s: {"paginate": {"before": str(s.theirs[-1].pk), "size": 2}},
    ),
    "room.preferences": (
        "owner",
        "room.preferences",
        lambda s: {"room_id": str(s.group.pk), "data": {"pinned": True, "notify": "mentions"}},
    ),
    "user.preferences": ("owner", "user.preferences", lambda s: {"data": {"notify": "mentions"}}),
    "room.join": ("joiner", "room.join", lambda s: {"room_id": str(s.public.pk)}),
    "room.leave": ("reader", "room.leave", lambda s: {"room_id": str(s.group.pk)}),
    "room.leave last": ("owner", "room.leave", lambda s: {"room_id": str(s.alone.pk)}),
    "room.add_members": (
        "owner",
        "room.add_members",
        lambda s: {"room_id": str(s.group.pk), "members": ids(s.strangers)},
    ),
    "room.remove_members": (
        "owner",
        "room.remove_members",
        lambda s: {"room_id": str(s.group.pk), "members": members(s)},
    ),
    "room.modify update": (
        "owner",
        "room.modify",
        modify(
            "update",
            "group",
            name=lambda s: "renamed",
            property=lambda s: {"preferences": {"colour": "blue"}},
        ),
    ),
    "room.modify delete": ("owner", "room.modify", modify("delete", "group")),
    "room.modify add_admin": (
        "owner",
        "room.modify",
        modify("add_admin", "group", users=followers),
    ),
    "room.modify remove_admin": (
        "owner",
        "room.modify",
        modify("remove_admin", "group", users=leaders),
    ),
    "room.modify add_moderator": (
        "owner",
        "room.modify",
        modify("add_moderator", "channel", users=followers),
    ),
    "room.modify remove_moderator": (
        "owner",
        "room.modify",
        modify("remove_moderator", "channel", users=leaders),
    ),
    "room.modify add_permission": (
        "owner",
        "room.modify",
        modify(
            "add_permission", "channel", users=members, permission=lambda s: ["can_send_messages"]
        ),
    ),
    "room.modify remove_permission": (
        "owner",
        "room.modify",
        modify(
            "remove_permission",
            "channel",
            users=members,
            permission=lambda s: ["can_send_messages"],
        ),
    ),
    "presence.subscribe users": (
        "owner",
        "presence.subscribe",
        lambda s: {"users": ids(s.members)},
    ),
    "presence.subscribe rooms": (
        "owner",
        "presence.subscribe",
        lambda s: {"rooms": [str(s.group.pk), str(s.channel.pk)]},
    ),
    "presence.unsubscribe": ("owner", "presence.unsubscribe", lambda s: {}),
    "presence.set": ("owner", "presence.set", lambda s: {"status": "invisible"}),
    "activity": ("owner", "activity", lambda s: {"channel_name": s.socket, "active": False}),
    "open": ("owner", "open", lambda s: {"channel_name": "a socket"}),
    "close": ("owner", "close", lambda s: {"channel_name": "a socket"}),
    "heartbeat": ("owner", "heartbeat", lambda s: {"channel_name": "a socket"}),
}


def run(scene: Scene, case: str) -> Any:
    """Let the event of a case happen; returns what the operation does."""
    who, event_type, data = CASES[case]
    user = getattr(scene, who)
    if event_type in map_lifecycle():
        return perform_lifecycle(user, event_type, data(scene))
    return perform(user, event_type, data(scene))
