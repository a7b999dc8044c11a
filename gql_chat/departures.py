"""Departures: the events of memberships, messages and rooms that plain code deletes.

Plain code is the ORM, the admin, the deletion of an account. Operations make their events
themselves. These functions make the same events without an operation, so that open and resuming
clients get the same frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router

from .events import (
    BY_SYSTEM,
    MembersRemoved,
    MessagesDeleted,
    RoomDeleted,
    RoomExited,
    RoomUpdated,
    UserErased,
)
from .models import AbstractRoom, Delivery, Membership, MessageCopy, get_model
from .models.accounts import as_shown
from .models.deletions import Deletion
from .models.relations import load_rooms
from .nouns import has_feature
from .streams import Outbox, erase_names, room_stream, user_stream

GOODBYE = "You have been removed"
"""The text for a user whom no member removed."""

DELETE = "delete"
"""The fate of messages that go with their sender's account; see `UserErased.messages`."""

_NOBODY: Mapping[Any, str] = MappingProxyType({})

_USERS_AT_ONCE = 50
"""How many users one search of the event log looks for."""

_MESSAGES_AT_ONCE = 500
"""How many messages a frame names at most."""


def tell_of_removal(
    outbox: Outbox,
    room: AbstractRoom,
    removed: Sequence[Membership],
    *,
    is_over: bool,
    accounts: Mapping[Any, str] = _NOBODY,
) -> None:
    """Tell users that they are out of a room, and tell the remaining members.

    Args:
        outbox: the outbox of the transaction.
        room: the room, locked.
        removed: the memberships that ended, already deleted.
        is_over: whether the room is deleted with them.
        accounts: the accounts that are deleted or erased, by id, each with the fate of its
            messages; these users are not told.
    """
    gone = [membership.user_id for membership in removed]
    told = [user_id for user_id in gone if user_id not in accounts]
    exited = RoomExited(room, GOODBYE)
    if is_over:
        room.members = []  # type: ignore[attr-defined]
        outbox.target(dict.fromkeys(told, exited))
        outbox.target(dict.fromkeys(told, RoomDeleted(room.pk)))
        return
    takes_over = hand_over(room, removed, accounts)
    load_rooms([room])
    outbox.target(dict.fromkeys(told, exited))
    outbox.broadcast(room, MembersRemoved(room, _names(gone), BY_SYSTEM), left=gone)
    if takes_over:
        outbox.broadcast(room, RoomUpdated(room))
    for user_id in gone:
        if user_id in accounts:
            tell_of_erasure(outbox, room, user_id, accounts[user_id])


def tell_of_erasure(outbox: Outbox, room: AbstractRoom, user_id: Any, messages: str) -> None:
    """Tell the members of a room that a user's account is gone, and what became of the messages.

    Args:
        outbox: the outbox of the transaction.
        room: the room, locked.
        user_id: the user.
        messages: see `UserErased.messages`.
    """
    if has_feature("erasure"):
        outbox.broadcast(room, UserErased(room.pk, user_id, messages))


def _names(user_ids: list[Any]) -> list[str]:
    users = get_user_model()._base_manager
    found = as_shown(users.using(router.db_for_write(users.model))).in_bulk(user_ids)
    return [found[user_id].get_username() for user_id in user_ids if user_id in found]


def hand_over(
    room: AbstractRoom, removed: Sequence[Membership], accounts: Mapping[Any, str] = _NOBODY
) -> bool:
    """Give a room whose leaders are gone a new leader; see `appoint`.

    A creator who has only left the room stays its creator, and may come back.

    Args:
        room: the room, locked; its `creator` changes if the heir becomes the creator.
        removed: the memberships that ended.
        accounts: the accounts that are deleted or erased, by id.

    Returns:
        Whether a role or the creator has changed.
    """
    led = {member.user_id for member in removed if member.role == room.rules.leader_role}
    # Django has set `creator` to NULL by now if that account is being deleted.
    orphaned = room.creator_id in accounts or (
        room.creator_id is None and not led.isdisjoint(accounts)
    )
    return appoint(room, orphaned=orphaned) if orphaned or led else False


def appoint(room: AbstractRoom, *, orphaned: bool) -> bool:
    """Make sure that somebody may manage a room.

    The heir is the member who has led the room for the longest, or else the one who has been in it
    for the longest. Members whose accounts are deactivated come last.

    Args:
        room: the room, locked.
        orphaned: whether the account of its creator is gone, so that the heir becomes the creator.

    Returns:
        Whether a role or the creator has changed.
    """
    rules = room.rules
    if rules.paired or not (rules.leaders or orphaned):
        return False
    members = list(
        Membership.objects.primary(room_id=room.pk).select_related("user").order_by("pk")
    )
    able = [member for member in members if member.user.is_active] or members
    leaders = [member for member in able if rules.leaders and member.role == rules.leader_role]
    heir = next(iter([*leaders, *able]), None)
    if orphaned:
        room.creator_id = None if heir is None else heir.user_id
        room.save(update_fields=["creator", "updated_at"])
    if heir is None or leaders or not rules.leaders:
        return orphaned and heir is not None
    Membership.objects.set_role(room, [heir.user_id], rules.leader_role)
    return True


def keep_property(room: AbstractRoom) -> None:
    """Load a room's property, which frames show, from the primary database while it is there."""
    link: Any = get_model("Room")._meta.get_field("property")
    if not link.is_cached(room):
        model = get_model("RoomProperty")
        properties = model.objects.using(router.db_for_write(model))
        room.property = properties.filter(room_id=room.pk).first() or model(room=room)


def tell_of_deletion(outbox: Outbox, room: AbstractRoom, message_ids: Sequence[Any]) -> None:
    """Tell the members of a room that messages are deleted.

    Args:
        outbox: the outbox of the transaction.
        room: the room, locked.
        message_ids: the messages, already deleted.
    """
    activity = room.newest_activity()
    for start in range(0, len(message_ids), _MESSAGES_AT_ONCE):
        some = list(message_ids[start : start + _MESSAGES_AT_ONCE])
        outbox.broadcast(room, MessagesDeleted(some), activity=activity)


def find_told(user_id: Any) -> set[str]:
    """Return the streams that tell of a user besides those of the rooms that the user is in.

    They are those of senders whose messages the user got, and of rooms with forwards of the user's.
    """
    got = Delivery.objects.using(router.db_for_write(Delivery)).filter(user_id=user_id).order_by()
    copies = MessageCopy.objects.using(router.db_for_write(MessageCopy)).filter(sender_id=user_id)
    senders = got.values_list("message__sender_id", flat=True).distinct()
    rooms = copies.order_by().values_list("message__room_id", flat=True).distinct()
    return {*map(user_stream, senders), *map(room_stream, rooms)}


def forget_accounts(deletion: Deletion) -> None:
    """Take the names of deleted users out of the log, a batch after the other.

    It follows the commit: the rooms, which the deletion has locked, do not wait for it.
    """
    if not has_feature("erasure"):
        return
    told = deletion.told | set(map(room_stream, deletion.locked))
    users = list(deletion.names.items())
    for start in range(0, len(users), _USERS_AT_ONCE):
        some = dict(users[start : start + _USERS_AT_ONCE])
        erase_names(some, within=sorted(told), blank=True)
