"""What all operations share: the acting user, and the way into a room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NoReturn

from django.contrib.auth import get_user_model
from django.db import connections, router
from django.db.models import Exists, F, OuterRef

from .. import streams
from ..columns import clean_columns, declared_columns, own_columns
from ..conf import chat_settings
from ..errors import Invalid, NotAuthenticated, NotFound, PermissionDenied
from ..models import (
    AbstractMessage,
    AbstractRoom,
    Delivery,
    Membership,
    get_model,
)
from ..models.accounts import active, as_shown, shown_version
from ..models.relations import check_texts, load_all
from ..permissions import PermissionHandler, unrestricted
from ..sizes import EACH, Budget
from ..sql import gates
from ..sql.carriers import Held
from ..sql.statements import (
    Among,
    Keys,
    Many,
    One,
    Statement,
    find_among,
    find_by,
)
from .contacts import Contacts
from .operation import operation as operation

_rooms: Statement[Any] = find_by(lambda: get_model("Room").objects.all(), "id")
_locked_rooms: Statement[Any] = find_among(
    lambda: get_model("Room").objects.order_by("pk").select_for_update(no_key=True), "id"
)
_room_lock: Statement[Any] = find_among(
    lambda: (
        get_model("Room").objects.order_by("pk").select_for_update(no_key=True).values_list("pk")
    ),
    "id",
)
_memberships = find_by(
    lambda: as_shown(Membership.objects.select_related("user"), "user"),
    "room_id",
    "user_id",
    depends_on=shown_version,
)
_memberships_with_rooms = find_by(
    lambda: as_shown(Membership.objects.select_related("room", "user"), "user"),
    "room_id",
    "user_id",
    depends_on=shown_version,
)
_users: Statement[Any] = Statement(
    lambda user_id: as_shown(get_user_model()._default_manager.filter(pk=user_id)),
    lambda: [One(get_user_model()._meta.pk)],
    shown_version,
)
messages_by_id: Statement[Any] = find_among(
    lambda: as_shown(get_model("Message").objects.select_related("sender"), "sender"),
    "id",
    shown_version,
)
"""Finds messages with their senders."""


def _select_rooms_of(message_ids: Any) -> Any:
    messages = get_model("Message").objects.filter(Among(F("id"), message_ids)).order_by()
    rooms = get_model("Room").objects.filter(pk__in=messages.values("room_id"))
    return rooms.order_by("pk").select_for_update(no_key=True).values_list("pk")


def _select_messages(message_ids: Any, user_id: Any, *related: str) -> Any:
    """Select messages with their senders, and tell what more there is to load.

    Few messages have attachments, or recipients who would be shown.
    """
    here = {"message_id": OuterRef("pk")}
    where = {"room_id": OuterRef("room_id"), "user_id": user_id, **active("user__")}
    members = Membership.objects.filter(**where)
    messages = get_model("Message").objects.filter(Among(F("id"), message_ids))
    shown = as_shown(messages.select_related("sender", *related), "sender")
    return shown.annotate(
        may_have_attachments=Exists(get_model("MessageMediaAsset").objects.filter(**here)),
        may_have_deliveries=Exists(Delivery.objects.filter(**here)),
        may_have_receipts=Exists(get_model("ReadReceipt").objects.filter(**here)),
        may_have_reactions=Exists(get_model("Reaction").objects.filter(**here)),
        is_for_user=Exists(members),
    )


def _message_keys() -> list[One | Many]:
    return [Many(get_model("Message")._meta.pk)]


def _message_keys_and_user() -> list[One | Many]:
    return [*_message_keys(), One(get_user_model()._meta.pk)]


_places: Statement[Any] = find_among(
    lambda: get_model("Message").objects.order_by().values_list("pk", "room_id"), "id"
)
_rooms_of_messages: Statement[Any] = Statement(_select_rooms_of, _message_keys)
_messages_with_rooms: Statement[Any] = Statement(
    lambda message_ids, user_id: _select_messages(message_ids, user_id, "room"),
    _message_keys_and_user,
    shown_version,
)
own_memberships: Statement[Any] = Statement(
    lambda user_id, room_ids: as_shown(Membership.objects.select_related("user"), "user").filter(
        Among(F("room_id"), room_ids), user_id=user_id
    ),
    lambda: [One(get_user_model()._meta.pk), Many(Membership._meta.get_field("room_id"))],
    shown_version,
)
"""Finds a user's memberships of some rooms."""


def primary(manager: Any) -> Any:
    """Return the rows of a manager, from the primary database.

    Operations decide by these: a replica may be behind.
    """
    return manager.using(router.db_for_write(manager.model))


class Operations:
    """Base of the operations.

    Args:
        user_id: the primary key of the user who acts. The user is read in every operation:
            an account that was deactivated since, or a right that was revoked, has no say.

    Attributes:
        as_system: whether the server itself acts, by this account: it needs no permission and
            need not be a member. Set by server code alone (`gql_chat.acting_as`).
        has_quotas: whether rooms of users are counted (`operations.quotas`); not for server code.
        budget: says how many bytes a page may have.
    """

    as_system = False
    has_quotas = True
    budget: Budget = EACH

    def __init__(self, user_id: Any) -> None:
        self.user_id = user_id

    @cached_property
    def permissions(self) -> PermissionHandler:
        """The project's permission handler; one that allows everything for the system."""
        handler: Any = chat_settings.load("PERMISSION_HANDLER_CLASS")
        permissions: PermissionHandler = (unrestricted(handler) if self.as_system else handler)()
        return permissions

    @cached_property
    def user(self) -> Any:
        """The acting user.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
        """
        return check_active(_users.first(self.user_id))

    def enter(self, room_id: Any, *, lock: bool = False) -> Membership:
        """Return the acting user's membership of a room, with `room` and `user` at hand.

        Args:
            room_id: the room.
            lock: whether to lock the room's row first, as all code has to that takes a sequence
                number of the room's stream.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user is no member of it. (With `HIDE_FORBIDDEN`: NotFound.)
            NotAuthenticated: the account is gone or was deactivated.
        """
        return self.admit(*self.find_place(room_id, lock=lock))

    def find_place(
        self, room_id: Any, *, lock: bool = False, ahead: Callable[[], Any] | None = None
    ) -> tuple[AbstractRoom, Membership | None]:
        """Return a room, and the acting user's membership of it if there is one; see `admit`.

        Args:
            room_id: the room.
            lock: whether to lock the room's row first.
            ahead: called before the two are read, and after the room is locked.

        Raises:
            NotFound: there is no such room.
        """
        locked = _lock_ahead(room_id) if lock and locks_rows() else None
        if ahead is not None:
            ahead()
        membership = _memberships_with_rooms.first(room_id, self.user_id)
        if membership is None:
            if chat_settings.HIDE_FORBIDDEN and not self.as_system:
                check_active(self.user)  # for users who are not in it, whether it exists or not
            return self.find_room(room_id, lock=lock), None
        if locked is not None and not locked.rows():
            # A manager of the project's hides it, or it came after the lock.
            raise NotFound("There is no such room.")
        room = _check_known(membership.room)
        if lock:
            _note_held([room])
        return room, membership

    def enter_found(self, room: AbstractRoom) -> Membership:
        """Return the acting user's membership of a room that is at hand (see `enter`)."""
        return self.admit(room, _memberships.first(room.pk, self.user_id))

    def admit(
        self,
        room: AbstractRoom,
        membership: Membership | None,
        outsider: Callable[[Any, AbstractRoom], bool] | None = None,
        what: str = "room",
    ) -> Membership:
        """Return the acting user's membership, with `room` and `user` at hand; refuse others.

        Args:
            room: the room.
            membership: what `find_place` found.
            outsider: asked with the user and the room whether one who is no member may do this
                all the same; then the membership is that of a plain member, and not stored.
            what: what the user has named, a room or a message, for an error that hides it.

        Raises:
            PermissionDenied: the user is no member of the room.
            NotFound: the same, with `HIDE_FORBIDDEN`.
            NotAuthenticated: the account is gone or was deactivated.
        """
        if membership is None:
            user = check_active(self.user)
            if not self.as_system and (outsider is None or not outsider(user, room)):
                self._refuse_outsider(what)
            membership = Membership(room_id=room.pk, user=user)
        self.user = check_active(membership.user)
        _ROOM_OF_MEMBERSHIP.set_cached_value(membership, room)
        return membership

    def find_room(self, room_id: Any, *, lock: bool = False) -> AbstractRoom:
        """Return a room, whoever is in it; `lock` locks its row.

        A room whose type nobody declares any more is as good as none.

        Raises:
            NotFound: there is no such room.
        """
        if not lock:
            return _check_known(_rooms.first(room_id))
        (room,) = self.lock_rooms([room_id])
        return room

    def lock_rooms(self, room_ids: Iterable[Any]) -> list[AbstractRoom]:
        """Lock rooms and return them, in the order in which they were named.

        All that happens in a room happens under its lock. An operation that needs several rooms
        locks them here, at once, in the order of their keys.

        Raises:
            NotFound: one of them does not exist.
        """
        key = get_model("Room")._meta.pk.to_python
        wanted = list(dict.fromkeys(map(key, room_ids)))
        gates.enter(wanted)
        found = {room.pk: room for room in _locked_rooms.all(wanted)}
        rooms = [_check_known(found.get(room_id)) for room_id in wanted]
        _note_held(rooms)
        return rooms

    def enter_message(self, message_id: Any) -> tuple[AbstractMessage, Membership]:
        """Return a message with its sender, and the acting user's membership of its room.

        The room's row is locked, as with `enter(room_id, lock=True)`.

        Raises:
            NotFound: there is no such message.
            PermissionDenied: the user is no member of its room.
            NotAuthenticated: the account is gone or was deactivated.
        """
        found = _lock_messages([message_id], self.user_id)
        if not found:
            raise NotFound("There is no such message.")
        room = _check_known(found[0].room)
        membership = _memberships.first(room.pk, self.user_id)
        return found[0], self.admit(room, membership, what="message")

    def check_modify(self, room: AbstractRoom) -> None:
        """Refuse a user who may not change a room.

        Raises:
            PermissionDenied: the user may not, or is not in it.
        """
        if not self.permissions.can_modify(self.enter_found(room)):
            raise PermissionDenied("You may not modify this room.")

    def find_messages(self, message_ids: Iterable[Any]) -> list[AbstractMessage]:
        """Return messages with their senders and rooms, in the order in which they were named.

        Their rooms are locked first: nothing touches a message without the lock of its room.

        Raises:
            NotFound: one of them does not exist.
            PermissionDenied: one of them stands in a room that the user is not in.
            Invalid: there are none, or they are too large together.
        """
        wanted = list(dict.fromkeys(message_ids))
        if not wanted:
            raise Invalid({"message_id": "Name at least one message."})
        check_texts(wanted)
        found = {message.pk: message for message in _lock_messages(wanted, self.user_id)}
        if len(found) < len(wanted):
            raise NotFound("There is no such message.")
        for message in found.values():
            _check_known(message.room)
            if not (message.is_for_user or self.as_system):
                self._refuse_outsider("message")
        return [found[message_id] for message_id in wanted]

    def load(self, messages: list[Any]) -> None:
        """Load what frames show of messages, and the acting user with those who are shown.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
        """
        users: dict[Any, Any] = {}
        load_all(messages, users, wanted=[self.user_id])
        if self.user_id in users:
            self.user = check_active(users[self.user_id])
        check_active(self.user)

    def check_member_of(self, room_ids: set[Any]) -> None:
        """Refuse a user who is not in all of these rooms, in which messages stand that it named."""
        if not room_ids or self.as_system:
            return
        memberships = own_memberships.all(self.user_id, room_ids)
        if len(memberships) < len(room_ids):
            self._refuse_outsider("message")
        self.user = check_active(memberships[0].user)

    def _refuse_outsider(self, what: str) -> NoReturn:
        """Refuse a user who named a room that they are not in, or a message there."""
        check_active(self.user)
        if chat_settings.HIDE_FORBIDDEN:
            raise NotFound(f"There is no such {what}.")
        raise PermissionDenied("You are not a member of this room.")

    def clean_fields(
        self,
        name: str,
        declaration: str,
        model: Any,
        fields: Mapping[str, Any],
        where: str = "extra_fields",
        besides: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Return values for columns that the project's model adds, as they are stored.

        Args:
            name: the object's type, a key of `SERIALIZERS`.
            declaration: which of its declarations says what users may write.
            model: the model in use.
            fields: the values by column.
            where: the input's field that held them, for errors.
            besides: columns that users may write whatever the type declares.

        Raises:
            Invalid: naming each column that is not the user's to set, or whose value is wrong.
        """
        if not fields:
            return {}
        allowed: Iterable[str] = (*declared_columns(name, declaration), *besides)
        if self.as_system:
            allowed = own_columns(model)
        return clean_columns(model, fields, allowed, where)

    def find_users(
        self,
        field: str,
        user_ids: Iterable[Any],
        *,
        room_id: Any = None,
        contact: bool = False,
        inactive: bool = False,
    ) -> dict[Any, Any]:
        """Return users by primary key, in the order in which they were named.

        Args:
            field: the input's field, for errors.
            user_ids: primary keys, as numbers or strings.
            room_id: the room that the event is about.
            contact: whether the event adds them to a room or writes to them first. Then
                `check_contact` follows where permissions are checked.
            inactive: whether deactivated accounts are found: of the members of the room where one
                is named, else all.

        Raises:
            Invalid: one of them cannot be the primary key of a user.
            NotFound: one of them belongs to nobody, or to an account that is not active; or, with
                `HIDE_FORBIDDEN`, the acting user may not contact them.
        """
        if room_id is not None and chat_settings.HIDE_FORBIDDEN and not self.as_system:
            self.enter(room_id)  # first: what is said of users would tell who is in the room
        contacts = Contacts(self, room_id)
        return contacts.find(field, user_ids, contact=contact, inactive=inactive)

    def check_contact(self, users: Mapping[Any, Any], room_id: Any = None) -> None:
        """Refuse to add users to a room, or to write to them first, as permissions have it.

        Args:
            users: what `find_users` found.
            room_id: the room; its members are in already.

        Raises:
            PermissionDenied: the acting user may not contact one of them.
        """
        Contacts(self, room_id).check(users)


_ROOM_OF_MEMBERSHIP: Any = Membership._meta.get_field("room")


def locks_rows() -> bool:
    """Tell whether an operation locks rows; else, on SQLite, it is the only one that writes."""
    connection = connections[router.db_for_write(Membership)]
    return connection.features.has_select_for_update


def _lock_messages(message_ids: list[Any], user_id: Any) -> list[Any]:
    """Lock the rooms of messages, then read the messages: as they are in their turn.

    Each has its `room` at hand, and tells whether it `is_for_user`, the one with this id.
    """
    keys = Keys(message_ids)
    locked: Held | None = None
    if locks_rows():
        if gates.applies():
            # An operation that may be parked first reads, without waiting for a lock, in which
            # rooms the messages stand.
            gates.enter(dict(_places.all(keys)).values())
        locked = streams.current().carrier.ahead(*_rooms_of_messages.text(keys))
    messages = _messages_with_rooms.all(keys, user_id)
    if locked is not None:
        # A message that came after the lock may stand in a room that is not locked.
        to_python = get_model("Room")._meta.pk.to_python
        ids = {to_python(room_id) for (room_id,) in locked.rows()}
        messages = [message for message in messages if message.room_id in ids]
    # One instance for each room: its position moves on with what happens.
    rooms: dict[Any, Any] = {message.room_id: message.room for message in messages}
    for message in messages:
        message.room = rooms[message.room_id]
    _note_held(rooms.values())
    return messages


def _lock_ahead(room_id: Any) -> Held | None:
    """Lock a room's row before the next statement reads it, in the same round trip.

    One statement that locks and reads may return what it found before it waited for the lock.
    Returns the row that is locked, if there is one; None where it was locked before.
    """
    room_id = get_model("Room")._meta.pk.to_python(room_id)
    outbox = streams.current()
    if outbox.seq_of(room_id) is not None:
        return None
    gates.enter([room_id])
    return outbox.carrier.ahead(*_room_lock.text([room_id]))


def _note_held(rooms: Iterable[AbstractRoom]) -> None:
    outbox = streams.current()
    for room in rooms:
        outbox.hold(room.pk, room.seq)


def _check_known(room: AbstractRoom | None) -> AbstractRoom:
    if room is None or not room.rules.name:
        raise NotFound("There is no such room.")
    return room


def check_active(user: Any) -> Any:
    """Return `user`, or raise `NotAuthenticated` where there is none or it is deactivated."""
    if user is None or not user.is_active:
        raise NotAuthenticated("Your account is not active.")
    return user
