"""Mentioning: what a message that is sent or edited says of whom it mentions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import router

from .. import streams
from ..conf import chat_settings
from ..errors import Invalid, PermissionDenied
from ..events import UnreadChanged
from ..models import AbstractMessage, AbstractRoom, Membership, Mention
from ..models.mentions import Mentions, find_readers, find_seeing, primary
from ..models.unread import count_unread
from ..models.visibility import is_visible_to_all
from ..notices import tell_mentioned
from ..nouns import has_feature
from ..presence import is_visibly_online
from ..sessions import connected
from .contacts import read_keys

if TYPE_CHECKING:
    from .base import Operations

FIELD = "extra_fields.mentions"


@dataclass(slots=True)
class Change:
    """What an edit changed about whom a message mentions.

    Attributes:
        fresh: the keys of the users who are mentioned for the first time, and have not read it.
        affected: the keys of the users whose mention by name, or as one who was there, came or
            went. A call of the whole room counts for nobody here: the frame of the edit shows it.
        is_any: whether there is any change.
    """

    fresh: set[Any] = field(default_factory=set)
    affected: set[Any] = field(default_factory=set)
    is_any: bool = False


class Mentioning:
    """Finds, checks and writes whom a message mentions.

    The room is locked. The checks come in the order of all operations, so they are called apart.

    Args:
        operations: whoever acts.
        given: `users` (keys), `room` and `here`; None where nothing is said of mentions.

    Raises:
        Invalid: one of the users cannot be the primary key of a user.
        NotFound: one of them belongs to nobody.
    """

    def __init__(self, operations: Operations, given: Mapping[str, Any] | None) -> None:
        self._operations = operations
        self.is_given = given is not None
        given = given or {}
        self._keys = read_keys(f"{FIELD}.users", given.get("users") or ())
        self._room = bool(given.get("room"))
        self._here = bool(given.get("here"))
        self._users: dict[Any, Any] = {}
        self._rows: dict[Any, Mention] = {}
        self._call: Mention | None = None

    def find(self, room: AbstractRoom, message: AbstractMessage | None = None) -> None:
        """Find the users who are named, and what an edited message has said so far.

        Args:
            room: the room.
            message: the message that is edited, loaded; None for a new one.

        Raises:
            NotFound: one of the users does not exist.
        """
        if not self.is_given:
            return
        sender_id: Any = self._operations.user_id
        if message is not None:
            sender_id = message.sender_id
            rows = primary().filter(message_id=message.pk).order_by("pk")
            self._rows = {row.user_id: row for row in rows}
            self._call = self._rows.pop(None, None)
            self._users = {user.pk: user for user in message.relations.mentions.users}
        self._keys = [key for key in self._keys if key != sender_id]
        new = [key for key in self._keys if key not in self._users]
        if new:
            self._users |= self._operations.find_users(
                f"{FIELD}.users", new, room_id=room.pk, inactive=True
            )

    def check_right(self, membership: Membership) -> None:
        """Refuse to call the whole room, or all who are there, if the user may not.

        An edit that leaves a call as it is needs no right.

        Raises:
            PermissionDenied: the user may not.
        """
        calls = (self._room and not self._had_room) or (self._here and not self._had_here)
        if calls and not self._operations.permissions.can_mention_all(membership):
            raise PermissionDenied("You may not mention everybody in this room.")

    def check_rules(self, room: AbstractRoom) -> None:
        """Refuse too many users, and users who are not in the room and were not mentioned before.

        Raises:
            Invalid: naming the field.
        """
        limit = chat_settings.MAX_MENTIONS
        if limit is not None and len(self._keys) > limit:
            raise Invalid({f"{FIELD}.users": f"At most {limit} users are allowed."})
        new = [key for key in self._keys if not self._is_named(key)]
        if not new:
            return
        members = Membership.objects.primary(room_id=room.pk, user_id__in=new)
        if len(members.order_by().values_list("pk")) < len(new):
            raise Invalid({f"{FIELD}.users": "Only members of the room can be mentioned."})

    def write(self, message: AbstractMessage) -> Change:
        """Write whom a message mentions, and show it in the message's relations.

        Returns:
            What has changed; of a new message that is of no use.
        """
        change = Change()
        if not self.is_given:
            return change
        named, unnamed = self._compare_names()
        came, went = self._compare_here(message)
        before = {key for key, row in self._rows.items() if row.by_name or row.here}
        still = {key for key, row in self._rows.items() if row.here and key not in went}
        change.affected = before ^ {*self._keys, *came, *still}
        calls = (self._room, self._here) != (self._had_room, self._had_here)
        change.is_any = bool(named or unnamed or came or went) or calls
        if change.is_any:
            if message.is_edited:
                change.fresh = self._find_fresh(message, {*named, *came})
            self._store(message, named, unnamed, came, went)
        order = [key for key in self._rows if self._is_named(key) and key in self._keys]
        shown = [*order, *(key for key in self._keys if key not in order)]
        message.relations.mentions = Mentions(
            [self._users[key] for key in shown], room=self._room, here=self._here
        )
        return change

    def notify(self, message: AbstractMessage, event: Any, change: Change) -> None:
        """Have those told who are mentioned for the first time, after the commit."""
        if change.fresh and chat_settings.ENABLE_NOTIFICATION:
            tell_mentioned(message, event, change.fresh)

    @property
    def _had_room(self) -> bool:
        return self._call is not None and self._call.whole_room

    @property
    def _had_here(self) -> bool:
        return self._call is not None and self._call.here

    def _is_named(self, key: Any) -> bool:
        row = self._rows.get(key)
        return row is not None and row.by_name

    def _compare_names(self) -> tuple[list[Any], list[Any]]:
        """Return who is named now and was not, and who was and is not."""
        named = [key for key in self._keys if not self._is_named(key)]
        unnamed = [key for key in self._rows if self._is_named(key) and key not in self._keys]
        return named, unnamed

    def _compare_here(self, message: AbstractMessage) -> tuple[list[Any], list[Any]]:
        """Return who is called now as one who is there, and who was and is not."""
        if self._here and not self._had_here:
            return _find_here(message.room_id, message.sender_id), []
        if self._had_here and not self._here:
            return [], [key for key, row in self._rows.items() if row.here]
        return [], []

    def _find_fresh(self, message: AbstractMessage, called: set[Any]) -> set[Any]:
        """Return the users who hear of a mention in this message for the first time."""
        fresh = called - self._rows.keys()
        told = self._call is not None and self._call.told
        if (self._room and not self._had_room and not told) or (told and fresh):
            sender_id: Any = message.sender_id
            members = Membership.objects.primary(
                room_id=message.room_id, joined_at__lte=message.created_at
            ).exclude(user_id=sender_id)
            everybody = set(members.values_list("user_id", flat=True))
            # Whoever was called with the whole room has been told.
            fresh = fresh - everybody if told else fresh | (everybody - self._rows.keys())
        if not fresh:
            return fresh
        if not is_visible_to_all(message):
            fresh = find_seeing(message, fresh)
        return fresh - find_readers(message, fresh)

    def _store(
        self,
        message: AbstractMessage,
        named: list[Any],
        unnamed: list[Any],
        came: list[Any],
        went: list[Any],
    ) -> None:
        rows = self._rows
        new = {
            key: Mention(
                message_id=message.pk,
                user_id=key,
                room_id=message.room_id,
                created_at=message.created_at,
            )
            for key in dict.fromkeys([*named, *came])
            if key not in rows
        }
        for key in named:
            if key in new:
                new[key].by_name = True
        for key in came:
            if key in new:
                new[key].here = True
        for keys, value in (
            (named, {"by_name": True}),
            (unnamed, {"by_name": False}),
            (came, {"here": True}),
            (went, {"here": False}),
        ):
            stored = [rows[key].pk for key in keys if key in rows]
            if stored:
                primary().filter(pk__in=stored).update(**value)
                for key in keys:
                    for name, flag in value.items():
                        if key in rows:
                            setattr(rows[key], name, flag)
        written = list(new.values())
        call = self._call
        if call is not None and (call.whole_room, call.here) != (self._room, self._here):
            values = {"whole_room": self._room, "here": self._here, "told": self._room or call.told}
            primary().filter(pk=call.pk).update(**values)
        elif call is None and (self._room or self._here):
            written.append(
                Mention(
                    message_id=message.pk,
                    room_id=message.room_id,
                    created_at=message.created_at,
                    whole_room=self._room,
                    here=self._here,
                    told=self._room,
                )
            )
        if written:
            Mention.objects.using(router.db_for_write(Mention)).bulk_create(written)


def _find_here(room_id: Any, sender_id: Any) -> list[Any]:
    """Return the keys of the members of a room who have a socket open now, `MAX_HERE` at most."""
    members = Membership.objects.primary(room_id=room_id).exclude(user_id=sender_id)
    model: Any = get_user_model()
    users = model._default_manager.using(router.db_for_write(model))
    inside = users.filter(pk__in=members.values("user_id"))
    there = is_visibly_online(inside) if has_feature("presence") else connected(inside)
    keys = there.order_by("pk").values_list("pk", flat=True)
    return list(keys[: chat_settings.MAX_HERE])


def tell_unread(users: set[Any], room: AbstractRoom) -> None:
    """Tell users whose mentions changed by an edit how much is unread in the room now.

    Without the feature `read_markers` there is no frame for that, and nothing is counted.

    Args:
        users: the keys of the users: at most those named before and after, and those called.
        room: the room, locked.
    """
    if not users or not has_feature("read_markers"):
        return
    told = {
        user_id: UnreadChanged(**asdict(found), totals=unread.totals)
        for user_id, unread in count_unread(users).items()
        for found in unread.rooms
        if found.room_id == room.pk
    }
    if told:
        streams.current().target(told)
