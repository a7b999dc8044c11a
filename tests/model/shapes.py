"""What frames show of the model's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model.values import SOME_TIME, Unordered

if TYPE_CHECKING:
    from tests.model.chat import Message, Notification, Person, Room


#: What a message shows where nobody is told who has read it.
_OF_NOBODY: dict[str, Any] = {
    "delivered_to": [],
    "read_receipts": [],
    "reactions": [],
    "delivered_to_count": 0,
    "read_receipts_count": 0,
    "reactions_count": 0,
}


def message(shown: Message) -> dict[str, Any]:
    """A message, with what it quotes."""
    return {
        **_alone(shown),
        "parent_message": None if shown.deleted else quote(shown, shown.parent),
        "forwarded_from": None if shown.deleted else shown.source,
    }


def _alone(shown: Message) -> dict[str, Any]:
    return {
        "id": shown.id,
        "room": {"id": shown.room.id},
        "sender": shown.sender.shown,
        "content": "" if shown.deleted else shown.content,
        "is_deleted": shown.deleted,
        "is_edited": shown.edited,
        "is_forwarded": shown.is_forwarded,
        "parent_message": None,
        "forwarded_from": None,
        "delivered_to": [person.name for person in shown.got],
        "read_receipts": [
            {"reader": person.shown, "read_at": at} for person, at in shown.read.items()
        ],
        "reactions": [
            {
                "id": each.id,
                "user": each.person.shown,
                "reaction_content": each.content,
                "created_at": each.created,
            }
            for each in shown.reactions
        ],
        "delivered_to_count": len(shown.got),
        "read_receipts_count": len(shown.read),
        "reactions_count": len(shown.reactions),
        "attachments": [] if shown.deleted else shown.attachments,
        "created_at": shown.created,
        "updated_at": shown.updated,
    }


def quote(by: Message, quoted: Message | None) -> dict[str, Any] | None:
    """A message inside another one, which nests no further.

    One of another room shows nothing of its readers there, and one that was deleted is not shown.
    """
    if quoted is None or not quoted.is_shown:
        return None
    shown = _alone(quoted)
    return shown if quoted.room is by.room else {**shown, **_OF_NOBODY}


def copy(source: Message, room: Room) -> dict[str, Any]:
    """A message as it is now, as a forward in a room shows it from now on.

    Nobody is told there who has read it, nor, in another room, where it stands.
    """
    shown = _alone(source) | _OF_NOBODY
    return shown if source.room is room else {**shown, "room": {"id": None}}


def notification(shown: Notification) -> dict[str, Any]:
    """What waits for somebody."""
    return {
        "id": shown.id,
        "notification_type": shown.kind,
        "message": message(shown.message),
    }


def _common(room: Room) -> dict[str, Any]:
    shown = {
        "type": room.type,
        "id": room.id,
        "created_at": room.created,
        "updated_at": SOME_TIME,
        **room.fields,
    }
    if room.type != "OneToOneChat":
        shown |= {
            "name": room.name,
            "description": room.description,
            "creator": None if room.creator is None else room.creator.shown,
        }
    return shown


def detail(room: Room) -> dict[str, Any]:
    """A room with its members."""
    # Those who lead come first.
    members = [
        person.shown
        for person, _ in sorted(room.members.items(), key=lambda item: not item[1].leads)
    ]
    shown = {
        **_common(room),
        "property": {"preferences": room.preferences},
        "member_count": len(room.members),
    }
    if room.type == "OneToOneChat":
        return {**shown, "participants": Unordered(members)}
    leaders = [person.shown for person, member in room.members.items() if member.leads]
    names = ("subscribers", "moderators") if room.type == "Channel" else ("participants", "admins")
    return {**shown, **dict(zip(names, (members, leaders), strict=True))}


def summary(room: Room, person: Person) -> dict[str, Any]:
    """A room as its member sees it in the list."""
    last = room.messages[-1] if room.messages else None
    since = room.members[person].since
    unread = [
        each
        for each in room.messages
        if each.born > since and each.sender is not person and person not in each.read
    ]
    shown = {
        **_common(room),
        "last_message": None if last is None else message(last),
        "unread_count": len(unread),
    }
    if room.type == "OneToOneChat":
        (peer,) = (each for each in room.members if each is not person)
        shown["peer"] = peer.shown
    return shown
