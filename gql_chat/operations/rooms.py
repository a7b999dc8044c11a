"""Rooms: list, show, create, change, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, F, FilteredRelation, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Left

from .. import streams
from ..columns import ON_CREATE, ON_EDIT, own_columns
from ..conf import chat_settings
from ..departures import keep_property
from ..errors import (
    Conflict,
    Invalid,
    PermissionDenied,
)
from ..events import (
    RoomCreated,
    RoomDeleted,
    RoomUpdated,
)
from ..json_values import find_problem
from ..models import AbstractRoom, Membership, get_model
from ..models.accounts import as_shown, shown_version
from ..models.cuts import counts_of_messages
from ..models.links import LINK_LENGTH, check_link
from ..models.quotations import quoted_in
from ..models.relations import (
    MessageRelations,
    load_messages,
    load_rooms,
    load_whole,
    member_ids,
)
from ..models.rules import (
    NAME_LENGTH,
    room_model,
    room_types,
)
from ..models.unread import select_unread
from ..models.visibility import History, hide_quotes, visible_messages
from ..models.weights import EXCERPT, ROOM, may_be_long, weigh, weigh_room
from ..nouns import has_feature
from ..sizes import SEARCHED, count_fitting, cut, excerpt, find_share
from ..sql.statements import (
    Among,
    Many,
    One,
    Statement,
    find_among,
)
from .accounts import AccountOperations
from .base import (
    check_active,
    messages_by_id,
    operation,
)
from .preferences import attach_preferences, pinned_first
from .quotas import QuotaOperations
from .quotations import lock_with_quoting

_LARGEST = 2**31 - 1


def select_listed_rooms(user_id: Any) -> Any:
    """Select the rooms of a user, the most recently active first, with what is counted of each."""
    messages = get_model("Message").objects.filter(
        visible_messages(OuterRef("mine__visible_from")), room_id=OuterRef("pk"), is_deleted=False
    )
    newest = messages.order_by("-created_at", "-pk").values("pk")[:1]
    unread = select_unread("mine__").values("room_id").annotate(count=Count("pk")).values("count")
    mine = FilteredRelation("memberships", condition=Q(memberships__user_id=user_id))
    rooms = (
        get_model("Room")
        .objects.annotate(mine=mine)
        .filter(mine__isnull=False)
        .annotate(
            last_message_id=Subquery(newest),
            unread_count=Coalesce(Subquery(unread), 0),
            **({"visible_from": F("mine__visible_from")} if has_feature("history") else {}),
        )
        .select_related("creator")
        .order_by(*pinned_first(user_id), "-last_activity", "-created_at", "-pk")
    )
    return as_shown(rooms, "creator")


_listed_rooms: Statement[Any] = Statement(
    select_listed_rooms, lambda: [One(get_user_model()._meta.pk)], shown_version
)
_excerpts: Statement[Any] = find_among(
    lambda: (
        get_model("Message")
        .objects.select_related("sender")
        .defer("content")
        .annotate(beginning=Left("content", SEARCHED + 1), **counts_of_messages())
    ),
    "id",
    shown_version,
)
_peers: Statement[Membership] = Statement(
    lambda room_ids, user_id: (
        as_shown(Membership.objects.select_related("user"), "user")
        .filter(Among(F("room_id"), room_ids))
        .exclude(user_id=user_id)
    ),
    lambda: [Many(get_model("Room")._meta.pk), One(get_user_model()._meta.pk)],
    shown_version,
)


class RoomOperations(AccountOperations, QuotaOperations):
    """Rooms."""

    # Looking

    def list_rooms(self) -> list[Any]:
        """Return the user's rooms: those that the user has pinned, then the others.

        Of both the most recently active come first. Each has `last_message` (the newest that is not
        deleted, or None), `peer` (the other user of a one-to-one chat, or None), `unread_count`,
        and the user's `preferences`.

        Where the list would be larger than `MAX_ANSWER_BYTES`, the largest of these messages are
        excerpts. Where even that is too much, the rooms at the end of the list show none; and
        where there are too many rooms, those at the end are left out.
        """
        check_active(self.user)
        limit = self.budget.find_limit()
        return self.show_rooms(self.find_listed(limit), limit)

    def show_rooms(self, rooms: list[Any], limit: int | None) -> list[Any]:
        """Load what the list of rooms shows of rooms; return those that fit, from the first on.

        Args:
            rooms: the rooms, as `select_listed_rooms` finds them.
            limit: how many bytes they may have; None for any number.
        """
        left = limit
        if limit is not None:
            weights = [weigh_room(room) for room in rooms]
            rooms = rooms[: cut(weights, limit)]
            left = limit - sum(weights[: len(rooms)])
            self.budget.spend(limit - left)
        ids = [room.last_message_id for room in rooms if room.last_message_id is not None]
        newest = self._load_newest(ids, left)
        if has_feature("history"):
            hide_quotes(newest, {room.pk: room.visible_from for room in rooms})
        messages = {message.pk: message for message in newest}
        paired = [room.pk for room in rooms if room.rules.paired]
        peers = {
            membership.room_id: membership.user for membership in _peers.all(paired, self.user_id)
        }
        for room in rooms:
            room.last_message = messages.get(room.last_message_id)
            room.peer = peers.get(room.pk)
        attach_preferences(self.user_id, rooms)
        return rooms

    def find_listed(self, limit: int | None) -> list[Any]:
        """Return the user's rooms, the most recently active first, and one more than may fit.

        Args:
            limit: how many bytes they may have; None for any number.
        """
        if limit is None:
            rooms = _listed_rooms.all(self.user_id)
        else:
            rooms = _listed_rooms.slice(0, limit // ROOM + 1, self.user_id)
        # Nothing is known of rooms whose type is no longer declared.
        return [room for room in rooms if room.rules.name]

    def _load_newest(self, ids: list[Any], limit: int | None) -> list[Any]:
        """Return messages with what frames show of them; of the largest excerpts, if need be.

        Args:
            ids: the messages, the most wanted first.
            limit: how many bytes they may have together; None for any number.
        """
        if limit is None:
            return load_messages(messages_by_id.all(ids))
        if not may_be_long(len(ids), limit):
            whole = load_whole(messages_by_id.all(ids), limit)
            if whole is not None:
                self.budget.spend(whole.weight)
                return whole.messages
        weights = weigh(ids)
        share = find_share(weights.values(), limit)
        shown = {
            message_id: min(weights[message_id], max(share, EXCERPT))
            for message_id in ids
            if message_id in weights
        }
        shown = dict(islice(shown.items(), count_fitting(shown.values(), limit)))
        self.budget.spend(sum(shown.values()))
        small = [
            message_id for message_id, weight in shown.items() if weights[message_id] <= weight
        ]
        excerpts = _excerpts.all(shown.keys() - set(small))
        for message in excerpts:
            message.content = excerpt(message.beginning)
            message.relations = MessageRelations(
                **{name: getattr(message, name) for name in counts_of_messages()}
            )
        return excerpts + (load_messages(messages_by_id.all(small)) if small else [])

    def room_info(self, room_id: Any) -> AbstractRoom:
        """Return a room of the user's with its members.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user is not in it.
        """
        room = self.enter(room_id).room
        load_rooms([room])
        return room

    # Coming and going

    @operation
    def create_room(
        self,
        room_type: str,
        *,
        name: str | None = None,
        description: str | None = None,
        members: Iterable[Any] = (),
        fields: Mapping[str, Any] | None = None,
        preferences: Mapping[str, Any] | None = None,
    ) -> AbstractRoom:
        """Create a room, and tell its first members.

        Args:
            room_type: the name of the type, as in `room_types()`.
            name: for types that have one; others may have one.
            description: what the room is for.
            members: ids of the users who are in from the start, besides the creator.
            fields: values of columns that the type lets its creator set.
            preferences: those of the room's property.

        Raises:
            NotFound: a user does not exist.
            PermissionDenied: the user may not add one of them, or write to them first.
            Invalid: a field is wrong, or the room would be too full.
            Conflict: the two users have a one-to-one chat; the detail names its `room_id`.
        """
        with streams.transaction() as outbox:
            model = room_model(room_type)
            if model is None:
                known = ", ".join(known.rules.name for known in room_types())
                raise Invalid({"type": f"One of {known} is needed."})
            rules = model.rules
            fields = self._check_fields(model, fields or {}, ON_CREATE, "extra_fields")
            text = {"name": name, "description": description}
            if not rules.named and name is None:
                del text["name"]
            if not rules.paired:  # such a chat has no text of its own
                text = self._check_known(text, tuple(text))
            problem = None if preferences is None else find_problem(preferences)
            if problem is not None:
                raise Invalid({"extra_fields.property.preferences": problem})
            users = self.find_users(rules.members, members, contact=True)
            user = self.user
            self.check_contact(users)
            if rules.paired:
                room = self._pair_up(model, users)
                # Two who have a chat are told so, however many rooms they are in.
                self.check_quotas(rules.members, users, own="type", entered=True)
                if fields:
                    self._write(room, fields)
            else:
                self.check_quotas(rules.members, users, own="type")
                room = model(creator=user, **text, **fields)
                room.save(force_insert=True)
                others = [user_id for user_id in users if user_id != user.pk]
                rules.check_room_for(room, len(others) + 1)
                Membership.objects.enter(room, others)
            # After the quotas: the deletion of an account locks it last, too.
            self.hold_accounts([user, *users.values()])
            if preferences is not None:
                self._prefer(room, preferences)
            load_rooms([room])
            outbox.broadcast(room, RoomCreated(room), joined=member_ids(room))
        return room

    @staticmethod
    def _write(room: AbstractRoom, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            setattr(room, name, value)
        room.save(update_fields=[*fields, "updated_at"])

    @staticmethod
    def _prefer(room: AbstractRoom, preferences: Mapping[str, Any]) -> None:
        keep_property(room)
        room.property.preferences = preferences
        room.property.save()

    def _pair_up(self, model: Any, users: Mapping[Any, Any]) -> AbstractRoom:
        if len(users) != 1 or self.user.pk in users:
            raise Invalid({"participants": "Name exactly one user, not yourself."})
        (peer,) = users
        try:
            with transaction.atomic():
                chat: AbstractRoom = model.objects.pair_up(self.user.pk, peer)
        except IntegrityError:
            present = model.objects.between(self.user.pk, peer)
            if present is None:
                raise
            raise Conflict({"message": "Chat already exists", "room_id": str(present.pk)}) from None
        return chat

    @operation
    def update_room(
        self, room_id: Any, fields: Mapping[str, Any], preferences: Mapping[str, Any] | None = None
    ) -> AbstractRoom:
        """Change what a room is called and how it works, and tell its members.

        Args:
            room_id: the room.
            fields: values of columns that the type lets its leaders change.
            preferences: those of the room's property, as a whole.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user does not lead it.
            Invalid: a field is wrong, or not one of this type.
        """
        with streams.transaction() as outbox:
            room = self.find_room(room_id, lock=True)
            self.check_modify(room)
            changes = self._check_fields(type(room), fields, ON_EDIT, "data")
            problem = None if preferences is None else find_problem(preferences)
            if problem is not None:
                raise Invalid({"data.property.preferences": problem})
            self._write(room, changes)
            if preferences is not None:
                self._prefer(room, preferences)
            load_rooms([room])
            outbox.broadcast(room, RoomUpdated(room))
        return room

    @operation
    def delete_room(self, room_id: Any) -> None:
        """Delete a room for everybody, and tell its members.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user may not delete it.
        """
        with streams.transaction() as outbox:
            lock_with_quoting(self, quoted_in(room_id), [room_id])
            membership = self.enter(room_id, lock=True)
            room = membership.room
            if not self.permissions.can_delete(membership):
                raise PermissionDenied("You may not delete this room.")
            room_id = room.pk
            outbox.broadcast(room, RoomDeleted(room_id), closed=True)
            room.delete()

    def _check_fields(
        self, model: Any, fields: Mapping[str, Any], declaration: str, where: str
    ) -> dict[str, Any]:
        """Return the fields of a room, the package's and the project's, as they are stored.

        Raises:
            Invalid: naming the field that is wrong or not allowed.
        """
        rules = model.rules
        own = {name: value for name, value in fields.items() if name in own_columns(model)}
        known = {name: value for name, value in fields.items() if name not in own}
        allowed = rules.creatable if declaration == ON_CREATE else rules.updatable
        if has_feature("history") and not rules.paired:
            allowed = (*allowed, "history")
        return {
            **self._check_known(known, allowed, where),
            **self.clean_fields(rules.name, declaration, model, own, where, allowed),
        }

    @staticmethod
    def _check_known(
        fields: Mapping[str, Any], allowed: Iterable[str], where: str = ""
    ) -> dict[str, Any]:
        """Return the fields as they are stored.

        Raises:
            Invalid: naming the field that is wrong or not allowed.
        """
        checked = {}
        problems = {}
        for name, value in fields.items():
            check = _CHECKS.get(name)
            problem = None
            if name not in allowed:
                problem = "This room has no such field."
            elif check is not None:
                problem = check(value)
            if problem is not None:
                problems[name] = problem
            checked[name] = value
        if problems:
            raise Invalid({where: problems} if where else problems)
        return checked


def _check_name(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip() or len(value) > NAME_LENGTH:
        return f"A name has 1 to {NAME_LENGTH} characters."
    return None


def _check_description(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return "A text is needed."
    limit = chat_settings.MAX_DESCRIPTION_LENGTH
    if limit is not None and len(value) > limit:
        return f"At most {limit} characters are allowed."
    return None


def _check_avatar(value: Any) -> str | None:
    if value is None:
        return None
    try:
        check_link(value)
    except ValidationError:
        return "This is not an http or https link."
    return f"At most {LINK_LENGTH} characters are allowed." if len(value) > LINK_LENGTH else None


def _check_cap(value: Any) -> str | None:
    return None if value is not None and 1 <= value <= _LARGEST else "A whole number from 1 up."


def _check_flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "True or false is needed."


def _check_history(value: Any) -> str | None:
    known = ", ".join(History.values)
    return None if value in History.values else f"One of {known} is needed."


_CHECKS = {
    "history": _check_history,
    "name": _check_name,
    "description": _check_description,
    "avatar": _check_avatar,
    "max_participants": _check_cap,
    "max_subscribers": _check_cap,
    "group_locked": _check_flag,
    "join_approval_required": _check_flag,
    "is_public": _check_flag,
}
