"""Loads all that frames show of messages and rooms, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F

from ..sql.statements import (
    Among,
    Keys,
    Many,
    Statement,
    all_together,
    find_among,
)
from . import (
    AbstractMessage,
    AbstractRoom,
    Delivery,
    Membership,
    MessageCopy,
    get_model,
)
from .copies import copy_source, revive

_quotable: Statement[Any] = find_among(
    lambda: get_model("Message").objects.filter(is_deleted=False), "id"
)
_attachments: Statement[Any] = find_among(
    lambda: get_model("MessageMediaAsset").objects.all(), "message_id"
)
_receipts: Statement[Any] = find_among(
    lambda: get_model("ReadReceipt").objects.order_by("read_at"), "message_id"
)
_reactions: Statement[Any] = find_among(
    lambda: get_model("Reaction").objects.order_by("created_at"), "message_id"
)
_deliveries: Statement[Any] = find_among(
    lambda: Delivery.objects.order_by("pk").values_list("message_id", "user_id"), "message_id"
)
_copies: Statement[Any] = find_among(lambda: MessageCopy.objects.all(), "message_id")
_memberships = find_among(
    lambda: Membership.objects.select_related("user").order_by("pk"), "room_id"
)

_properties: Statement[Any] = find_among(lambda: get_model("RoomProperty").objects.all(), "room_id")
_users: Statement[Any] = Statement(
    lambda ids: get_user_model()._base_manager.filter(Among(F("pk"), ids)),
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


def load_messages(
    messages: Iterable[AbstractMessage],
    users: dict[Any, Any] | None = None,
    quoted: Iterable[AbstractMessage] | None = None,
    wanted: Iterable[Any] = (),
) -> list[Any]:
    """Give each message its `relations`, and its `sender`; return the messages as a list.

    The message that a reply answers gets its own too, one level deep. If it stands in another
    room, nobody learns who has got it, read it or reacted to it. One that is deleted is quoted no
    more, whether its row is kept or not.

    A forward shows what it passes on as that was then (`MessageCopy`), without what others did
    with it and, from another room, without that room's id.

    What went with its user's account while this was reading is left out.

    Args:
        messages: the messages.
        users: users who are at hand, by id, and so need not be read; who is read is added.
        quoted: all that the messages quote, where that is at hand.
        wanted: the ids of users who are to be read, too, if there are messages.
    """
    messages = list(messages)
    sources = _find_sources(messages)
    found = _find_quoted(messages, sources) if quoted is None else list(quoted)
    users = {} if users is None else users
    if messages:
        senders = {source.sender_id for source in sources.values()}
        _fill([*found, *messages], users, senders.union(wanted))
    quotes = {message.pk: message for message in _linked(found, "sender", users)}
    shown = {source.pk for source in _linked(list(sources.values()), "sender", users)}
    messages = _linked(messages, "sender", users)
    for message in messages if quotes or sources else ():
        message.relations.parent_message = _quote(message, quotes.get(message.parent_message_id))
        source = sources.get(message.pk)
        if source is None:
            # Made before there were copies, or by code that writes no copy.
            source = _show_source(message, quotes.get(message.forwarded_from_id))
        elif source.pk not in shown:
            source = None
        message.relations.forwarded_from = source
    return messages


def keep_copy(message: AbstractMessage, source: AbstractMessage) -> None:
    """Give a new forward, which is loaded, the copy of its source; it shows it from now on.

    Args:
        message: the forward; its `source_copy` is written with it.
        source: what it passes on, loaded with its sender.
    """
    message.source_copy = copy_source(message, source, source.relations.attachments)
    shown = _revive(message.source_copy, message)
    shown.sender = source.sender
    message.relations.forwarded_from = shown


def _find_sources(messages: list[Any]) -> dict[Any, Any]:
    """Return what stored forwards pass on, as it was then: by the forward's key."""
    forwards = {message.pk: message for message in messages if message.is_forwarded}
    if not forwards or all(message._state.adding for message in forwards.values()):
        return {}
    copies = _copies.all(forwards)
    return {each.message_id: _revive(each, forwards[each.message_id]) for each in copies}


def _revive(copied: MessageCopy, forward: AbstractMessage) -> AbstractMessage:
    source, attachments = revive(copied, forward)
    source.relations = MessageRelations(attachments=attachments)
    return source


def _find_quoted(messages: list[Any], sources: dict[Any, Any]) -> list[Any]:
    ids = {message.parent_message_id for message in messages}
    ids.update(message.forwarded_from_id for message in messages if message.pk not in sources)
    ids.discard(None)
    return _quotable.all(ids) if ids else []


def _quote(message: AbstractMessage, quoted: Any) -> Any:
    if quoted is not None and quoted.room_id != message.room_id:
        # A copy: another message here may quote it in its own room.
        quoted = copy(quoted)
        quoted.relations = MessageRelations(attachments=quoted.relations.attachments)
    return quoted


def _show_source(message: AbstractMessage, source: Any) -> Any:
    """Return a source of which there is no copy, as a copy would show it."""
    if source is None:
        return None
    shown = copy(source)
    shown.relations = MessageRelations(attachments=source.relations.attachments)
    if source.room_id != message.room_id:
        shown.room_id = None
    return shown


def _fill(messages: list[Any], users: dict[Any, Any], wanted: set[Any]) -> None:
    """Give messages their relations, but for quotes; add the users of all, and who is wanted."""
    relations = {message.pk: MessageRelations() for message in messages}
    attachments, receipts, reactions, deliveries = _find_relations(messages, Keys(relations))
    for asset in attachments:
        relations[asset.message_id].attachments.append(asset)
    wanted.update(receipt.reader_id for receipt in receipts)
    wanted.update(reaction.user_id for reaction in reactions)
    wanted.update(user_id for _, user_id in deliveries)
    _find_users(messages, users, wanted)
    for receipt in _linked(receipts, "reader", users):
        relations[receipt.message_id].read_receipts.append(receipt)
    for reaction in _linked(reactions, "user", users):
        relations[reaction.message_id].reactions.append(reaction)
    for message_id, user_id in deliveries:
        if user_id in users:
            relations[message_id].delivered_to.append(users[user_id].get_username())
    for message in messages:
        message.relations = relations[message.pk]


def _find_relations(messages: list[Any], keys: Keys) -> list[list[Any]]:
    """Return attachments, receipts, reactions and deliveries of messages, where some may be."""
    relations = {
        "may_have_attachments": _attachments,
        "may_have_receipts": _receipts,
        "may_have_reactions": _reactions,
        "may_have_deliveries": _deliveries,
    }
    asked = {
        name: statement
        for name, statement in relations.items()
        if any(getattr(message, name) for message in messages)
    }
    rows = all_together(*((statement, keys) for statement in asked.values()))
    found = dict(zip(asked, rows, strict=True))
    return [found.get(name, []) for name in relations]


def _find_users(messages: list[Any], users: dict[Any, Any], wanted: set[Any]) -> None:
    """Add the senders of messages, and the users with these ids; who is at hand is not read."""
    link = messages[0]._meta.get_field("sender")
    for message in messages:
        sender = link.get_cached_value(message, default=None)
        if sender is None:
            wanted.add(message.sender_id)
        else:
            users[sender.pk] = sender
    if absent := wanted - users.keys():
        for user in _users.all(absent):
            users[user.pk] = user


def _linked(rows: list[Any], name: str, users: dict[Any, Any]) -> list[Any]:
    """Give rows the user that a field refers to; return those whose user is there."""
    if not rows:
        return rows
    link = rows[0]._meta.get_field(name)
    linked = []
    for row in rows:
        user = users.get(getattr(row, link.attname))
        if user is not None:
            link.set_cached_value(row, user)
            linked.append(row)
    return linked


def relations_of(message: Any) -> MessageRelations:
    """Return a message's relations, loading them where nobody has yet."""
    try:
        relations: MessageRelations = message.relations
    except AttributeError:
        load_messages([message])
        relations = message.relations
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
