"""Loads all that frames show of messages and rooms, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F

from .models import AbstractMessage, AbstractRoom, Delivery, Membership, get_model
from .models.rows import Made
from .models.statements import Among, Many, Statement, find_among

_quotable: Statement[Any] = find_among(
    lambda: get_model("Message").objects.filter(is_deleted=False).select_related("sender"), "id"
)
_attachments: Statement[Any] = find_among(
    lambda: get_model("MessageMediaAsset").objects.all(), "message_id"
)
_receipts: Statement[Any] = find_among(
    lambda: get_model("ReadReceipt").objects.select_related("reader").order_by("read_at"),
    "message_id",
)
_reactions: Statement[Any] = find_among(
    lambda: get_model("Reaction").objects.select_related("user").order_by("created_at"),
    "message_id",
)
_deliveries = find_among(
    lambda: Delivery.objects.select_related("user").order_by("pk"), "message_id"
)
_memberships = find_among(
    lambda: Membership.objects.select_related("user").order_by("pk"), "room_id"
)

_properties: Statement[Any] = find_among(lambda: get_model("RoomProperty").objects.all(), "room_id")
_users: Statement[Any] = Statement(
    lambda ids: get_user_model()._default_manager.filter(Among(F("pk"), ids)),
    lambda: [Many(get_user_model()._meta.pk)],
)


@dataclass(slots=True)
class MessageRelations:
    """What hangs on a message: attachments, receipts, reactions, names of who has got it."""

    attachments: list[Any] = field(default_factory=list)
    read_receipts: list[Any] = field(default_factory=list)
    reactions: list[Any] = field(default_factory=list)
    delivered_to: list[str] = field(default_factory=list)
    parent_message: AbstractMessage | None = None
    forwarded_from: AbstractMessage | None = None


def load_messages(messages: Iterable[AbstractMessage]) -> list[Any]:
    """Give each message its `relations`; return the messages as a list.

    Quoted messages (the parent, the forwarded one) get theirs too, one level deep. Of one
    that stands in another room nobody learns who has got it, read it or reacted to it. One
    that is deleted is quoted no more, whether its row is kept or not.
    """
    messages = list(messages)
    quoted_ids = {
        quoted_id
        for message in messages
        for quoted_id in (message.parent_message_id, message.forwarded_from_id)
        if quoted_id is not None
    }
    found = _quotable.all(quoted_ids) if quoted_ids else []
    quoted: dict[Any, Any] = {message.pk: message for message in found}
    relations = {message.pk: MessageRelations() for message in [*quoted.values(), *messages]}
    if relations:
        _fill(relations)
    for message in quoted.values():
        message.relations = relations[message.pk]
    for message in messages:
        message.relations = relations[message.pk]
        message.relations.parent_message = _quote(message, quoted.get(message.parent_message_id))
        message.relations.forwarded_from = _quote(message, quoted.get(message.forwarded_from_id))
    return messages


def load_senders(messages: Sequence[AbstractMessage]) -> None:
    """Give each message its `sender`; messages of one sender share one instance."""
    by_id = {user.pk: user for user in _users.all({message.sender_id for message in messages})}
    for message in messages:
        message.sender = by_id[message.sender_id]


def _quote(message: AbstractMessage, quoted: Any) -> Any:
    if quoted is not None and quoted.room_id != message.room_id:
        # A copy: another message here may quote it in its own room.
        quoted = copy(quoted)
        quoted.relations = MessageRelations(attachments=quoted.relations.attachments)
    return quoted


def _fill(relations: dict[Any, MessageRelations]) -> None:
    ids = list(relations)
    # Who reacts has read it, too.
    users: Made = {}
    for asset in _attachments.all(ids):
        relations[asset.message_id].attachments.append(asset)
    for receipt in _receipts.all(ids, made=users):
        relations[receipt.message_id].read_receipts.append(receipt)
    for reaction in _reactions.all(ids, made=users):
        relations[reaction.message_id].reactions.append(reaction)
    for delivery in _deliveries.all(ids, made=users):
        relations[delivery.message_id].delivered_to.append(delivery.user.get_username())


def relations_of(message: Any) -> MessageRelations:
    """Return a message's relations, loading them where nobody has yet."""
    if not hasattr(message, "relations"):
        load_messages([message])
    relations: MessageRelations = message.relations
    return relations


def load_rooms(rooms: Sequence[AbstractRoom]) -> Sequence[Any]:
    """Give each room its `members`, memberships with their users in the order of joining.

    Its `property` and, where among the members, its `creator` are then at hand, too.
    """
    by_id: dict[Any, Any] = {room.pk: room for room in rooms}
    for room in by_id.values():
        room.members = []
    for membership in _memberships.all(by_id):
        room = by_id[membership.room_id]
        room.members.append(membership)
        if membership.user_id == room.creator_id:
            room.creator = membership.user
    for found in _properties.all(by_id):
        found.room = by_id[found.room_id]
    return rooms


def members_of(room: Any) -> list[Membership]:
    """Return a room's memberships, loading them where nobody has yet."""
    if not hasattr(room, "members"):
        load_rooms([room])
    members: list[Membership] = room.members
    return members
