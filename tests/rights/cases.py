"""What is tried with every event: the cases of the table, and the data that is sent.

Whoever adds an event adds its cases here and its rows to `table.txt`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.rights.world import PERMISSIONS, World
from tests.wire.rooms import CHANNEL, GROUP, NOBODY, NOWHERE, ONE_TO_ONE, wire_id

Data = dict[str, Any]
#: Returns what somebody of a role sends; None where there is nothing of the kind to try.
Build = Callable[[World, str], Data | None]


def _send(world: World, role: str, **extra: Any) -> Data:
    return {"room_id": world.room_id, "content": "hello", "extra_fields": extra}


def _send_media(world: World, role: str) -> Data:
    item = {
        "media_url": "https://example.com/a.png",
        "media_type": "image",
        "mime_type": "image/png",
    }
    return _send(world, role, media=[item])


def _quote(field: str) -> Build:
    return lambda world, role: _send(world, role, **{field: _hers(world, role)})


def _quote_from_elsewhere(field: str) -> Build:
    return lambda world, role: _send(world, role, **{field: world.elsewhere})


def _quote_at_home(world: World, role: str) -> Data | None:
    """Take a message of the room to another one, in which one may send."""
    if role not in world.homes:
        return None
    extra = {"forwarded_from_id": _hers(world, role)}
    return {"room_id": world.homes[role], "content": "hello", "extra_fields": extra}


def _hers(world: World, role: str) -> str:
    return world.hers.get(role, NOWHERE)


def _own(world: World, role: str) -> str | None:
    return NOWHERE if world.kind == "none" else world.own.get(role)


def _of_another(world: World, role: str) -> Data:
    return {"message_id": _hers(world, role)}


def _of_ones_own(world: World, role: str) -> Data | None:
    own = _own(world, role)
    return None if own is None else {"message_id": own}


def _with_elsewhere(world: World, role: str) -> Data | None:
    if world.kind == "none":
        return None
    return {"message_id": [_hers(world, role), world.elsewhere]}


def _react(type: str, content: str) -> Build:
    return lambda world, role: {
        "type": type,
        "message_id": _hers(world, role),
        "reaction_content": content,
    }


def _take_back(world: World, role: str) -> Data | None:
    """Take a reaction back that somebody who is or was in the room has made."""
    return _react("remove", "first")(world, role)


def _update(find: Callable[[World, str], Any], **changes: Any) -> Build:
    def build(world: World, role: str) -> Data | None:
        message = find(world, role)
        fields = {"extra_fields": changes or {"content": "changed"}}
        return message and {"action": "update", "message_id": message, **fields}

    return build


def _delete(*finds: Callable[[World, str], Any]) -> Build:
    def build(world: World, role: str) -> Data | None:
        messages = [find(world, role) for find in finds]
        return {"action": "delete", "message_id": messages} if all(messages) else None

    return build


def _create(type: str) -> Build:
    def build(world: World, role: str) -> Data:
        candidate = wire_id(world.candidate.pk)
        if type == ONE_TO_ONE:
            return {"type": type, "participants": [candidate]}
        members = "subscribers" if type == CHANNEL else "participants"
        return {"type": type, "name": "new", members: [candidate]}

    return build


def _at(world: World, role: str) -> Data:
    return {"room_id": world.room_id}


def _page_of_rooms(world: World, role: str) -> Data:
    return {"paginate": {"size": 100}}


def _page_before_the_room(world: World, role: str) -> Data:
    return {"paginate": {"before": world.room_id, "size": 2}}


def _find_somebody(world: World, role: str) -> Data:
    """Look for somebody of the room; where there is none, for somebody all the same."""
    other = "member" if role == "creator" else "creator"
    name = world.people[other].get_username() if other in world.people else "somebody"
    return {"query": name, "paginate": {"size": 100}}


def _page_of_members(world: World, role: str) -> Data:
    after = wire_id(world.pk("creator" if "creator" in world.people else _any(world)))
    return {**_at(world, role), "paginate": {"after": after, "size": 2}}


def _page(world: World, role: str) -> Data:
    return {**_at(world, role), "paginate": {"page": 1, "size": 2}}


def _members(find: Callable[[World, str], Any]) -> Build:
    return lambda world, role: {
        **_at(world, role),
        "members": [wire_id(find(world, role))],
    }


def _candidate(world: World, role: str) -> Any:
    return world.candidate.pk


def _member(world: World, role: str) -> Any:
    """A plain member, other than who asks."""
    names = ("member", "adder", "creator", "stranger", "root")
    return next(world.pk(each) for each in names if each in world.people and each != role)


def _leader(world: World, role: str) -> Any:
    return world.pk("leader" if "leader" in world.people else _any(world))


def _creator(world: World, role: str) -> Any:
    return world.pk("creator" if "creator" in world.people else _any(world))


def _any(world: World) -> str:
    return next(iter(world.people))


def _modify(action: str, find: Callable[[World, str], Any]) -> Build:
    return lambda world, role: {
        **_at(world, role),
        "action": action,
        "data": {"users": [wire_id(find(world, role))]},
    }


def _permit(action: str, role_with: str) -> Build:
    def build(world: World, role: str) -> Data:
        type = GROUP if world.kind in ("none", "pair") else world.type
        permission = PERMISSIONS[type][role_with]
        target = role_with if action == "remove_permission" else "member"
        user = world.pk(target if target in world.people else _any(world))
        data = {"users": [wire_id(user)], "permission": [permission]}
        return {**_at(world, role), "action": action, "data": data}

    return build


def _update_room(world: World, role: str) -> Data:
    data = {"property": {"preferences": {"colour": "green"}}}
    if world.kind not in ("pair", "none"):
        data["name"] = "renamed"  # type: ignore[assignment]
    return {**_at(world, role), "action": "update", "data": data}


def _delete_room(world: World, role: str) -> Data:
    return {**_at(world, role), "action": "delete"}


def _mention_member(world: World, role: str) -> Data:
    return _send(world, role, mentions={"users": [wire_id(_member(world, role))]})


def _mention_all(world: World, role: str) -> Data:
    return _send(world, role, mentions={"room": True})


def _prefer(world: World, role: str) -> Data:
    return {**_at(world, role), "data": {"pinned": True}}


def _prefer_everywhere(world: World, role: str) -> Data:
    return {"data": {"notify": "mentions"}}


def _resume(world: World, role: str) -> Data:
    """Resume where all streams stand: nothing is replayed."""
    streams = {f"room:{world.room_id}": world.seq}
    if role in world.homes:
        streams[f"room:{world.homes[role]}"] = 1
    return {"streams": streams}


def _up_to(field: str) -> Build:
    return lambda world, role: {**_at(world, role), field: _hers(world, role)}


def _from_elsewhere(world: World, role: str) -> Data:
    return {**_at(world, role), "from": world.elsewhere}


def _nothing(world: World, role: str) -> Data:
    return {}


def _pinned(world: World, role: str) -> Data:
    return {"message_id": world.pinned}


def _see_member(world: World, role: str) -> Data:
    """Watch somebody else who is in the room."""
    somebody = NOBODY if world.kind == "none" else wire_id(_member(world, role))
    return {"users": [somebody]}


CASES: dict[str, dict[str, Build]] = {
    "message.send": {
        "text": _send,
        "media": _send_media,
        "a reply": _quote("parent_message_id"),
        "a forward": _quote("forwarded_from_id"),
        "a reply to elsewhere": _quote_from_elsewhere("parent_message_id"),
        "a forward from elsewhere": _quote_from_elsewhere("forwarded_from_id"),
        "a forward to elsewhere": _quote_at_home,
        "a mention": _mention_member,
        "a mention of all": _mention_all,
    },
    "message.typing": {"typing": _at},
    "message.acknowledged": {
        "another's": _of_another,
        "one's own": _of_ones_own,
        "another's and one from elsewhere": _with_elsewhere,
    },
    "message.read": {
        "another's": _of_another,
        "one's own": _of_ones_own,
        "another's and one from elsewhere": _with_elsewhere,
    },
    "message.react": {"add": _react("add", "second"), "remove": _take_back},
    "message.pin": {"another's": _of_another, "one's own": _of_ones_own},
    "message.unpin": {"a pinned one": _pinned, "another's": _of_another},
    "message.save": {"another's": _of_another, "one's own": _of_ones_own},
    "message.unsave": {"another's": _of_another},
    "message.modify": {
        "update one's own": _update(_own),
        "update another's": _update(_hers),
        "mention all in one's own": _update(_own, mentions={"room": True}),
        "delete one's own": _delete(_own),
        "delete another's": _delete(_hers),
        "delete one's own and another's": _delete(_own, _hers),
    },
    "room.create": {type: _create(type) for type in (ONE_TO_ONE, GROUP, CHANNEL)},
    "room.list": {
        "all": _nothing,
        "a page": _page_of_rooms,
        "a page behind the room": _page_before_the_room,
    },
    "room.members": {"the first": _at, "a page": _page_of_members},
    "user.find": {"somebody of the room": _find_somebody},
    "room.info": {"the room": _at},
    "room.messages": {"the newest": _at, "a page": _page},
    "room.join": {"the room": _at},
    "room.leave": {"the room": _at},
    "room.add_members": {"somebody": _members(_candidate)},
    "room.remove_members": {
        "a member": _members(_member),
        "a leader": _members(_leader),
        "the creator": _members(_creator),
    },
    "room.modify": {
        "update": _update_room,
        "delete": _delete_room,
        "add_admin": _modify("add_admin", _member),
        "remove_admin": _modify("remove_admin", _leader),
        "add_moderator": _modify("add_moderator", _member),
        "remove_moderator": _modify("remove_moderator", _leader),
        "add_permission": _permit("add_permission", "adder"),
        "remove_permission": _permit("remove_permission", "remover"),
    },
    "room.pins": {"the newest": _at},
    "saved.list": {"all": _nothing},
    "notification.list": {"all": _nothing},
    "presence.subscribe": {
        "the room": lambda world, role: {"rooms": [world.room_id]},
        "a member": _see_member,
    },
    "presence.unsubscribe": {"all": _nothing},
    "presence.set": {"invisible": lambda world, role: {"status": "invisible"}},
    "room.read": {"all of it": _at, "up to a message": _up_to("up_to")},
    "room.unread": {"from a message on": _up_to("from"), "from elsewhere": _from_elsewhere},
    "unread.list": {"all": _nothing, "the room": _at},
    "room.preferences": {"change": _prefer, "read": _at},
    "user.preferences": {"change": _prefer_everywhere, "read": _nothing},
    "mention.list": {"all": _nothing},
    "session.heartbeat": {"heartbeat": _nothing},
    "session.resume": {
        "the room is named": _resume,
        "no room is named": lambda world, role: {"streams": {}},
    },
}
