"""Erasure: all of a user goes from chat, in transactions of bounded size.

Each transaction locks one room, as operations do, takes a batch out of it, and tells its members.
The rows that are still there show what is left to do. So another erasure finishes one that was
interrupted, and two at once do no harm.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, router
from django.utils import timezone
from guardian.models import UserObjectPermission

from .. import streams
from ..conf import chat_settings
from ..departures import appoint, tell_of_deletion, tell_of_erasure
from ..errors import LOCK_NOT_AVAILABLE, Busy, Invalid, NotFound, sqlstate
from ..events import MessageEdited, RoomUpdated
from ..models import (
    AbstractRoom,
    Membership,
    MessageCopy,
    UserStream,
    get_model,
    members_changed,
)
from ..models.accounts import accounts, can_deactivate
from ..models.deletions import told_by_operation
from ..models.mentions import forget_mentions
from ..models.relations import load_messages, load_rooms
from ..sessions import announce_sign_out
from ..sql import bulk
from .relations import Relation, find_relations

KEEP, BLANK, DELETE = FATES = ("keep", "blank", "delete")
"""What may become of the messages of a user."""

BATCH = 200
"""How many rows one transaction takes, if the caller says nothing else."""

LARGEST_BATCH = 1000

Progress = Callable[[str, int, int | None], None]
"""Is called with what is erased, in the plural, how much of it is done, and of how much, if that is
known."""

T = TypeVar("T")

_SHOWN = 100
"""How many of a user's newest messages in a room are shown anew to its members, one by one."""

_KEYS_AT_ONCE = 5000
_PASSES = 10
_ATTEMPTS = 10


class Erasure:
    """Erases one user from chat.

    Args:
        user_id: the user.
        messages: the fate of the user's messages, one of `FATES`.
        batch: how many rows one transaction takes at most.
        progress: called after each transaction.

    Attributes:
        counts: how many rows were erased, by what they are.

    Raises:
        Invalid: `messages` or `batch` is not allowed.
        NotFound: there is no such user.
    """

    def __init__(
        self,
        user_id: Any,
        messages: str = KEEP,
        batch: int = BATCH,
        progress: Progress | None = None,
    ) -> None:
        if messages not in FATES:
            raise Invalid({"messages": f"One of {', '.join(FATES)} is needed."})
        if not 1 <= batch <= LARGEST_BATCH:
            raise Invalid({"batch": f"A whole number from 1 to {LARGEST_BATCH} is needed."})
        user = accounts().filter(pk=user_id).first()
        if user is None:
            raise NotFound("There is no such user.")
        self._user_id = user.pk
        self._name: str = user.get_username()
        self._fate = messages
        self._batch = batch
        self._progress = progress
        self._shown: set[Any] = set()
        self.counts: Counter[str] = Counter()

    def run(self) -> None:
        """Erase the user.

        Raises:
            Busy: something was locked again and again, or the user went on writing, which is
                possible if the user model has no `is_active`. Call it again.
        """
        self._perform(self._bar)
        for _ in range(_PASSES):
            before = self.counts.total()
            self._sweep()
            if self.counts.total() == before:
                break
        else:
            raise Busy("The user goes on writing. Call it again.")
        self._erase_log()

    def _note(self, what: str, count: int) -> None:
        if count:
            self.counts[what] += count
            if self._progress is not None:
                self._progress(what, self.counts[what], None)

    def _perform(self, step: Callable[[], T]) -> T:
        """Run one transaction, and again if somebody holds a lock for long."""
        for attempt in itertools.count(1):
            try:
                return streams.run(step)
            except OperationalError as error:
                if sqlstate(error) != LOCK_NOT_AVAILABLE:
                    raise
                if attempt >= _ATTEMPTS:
                    raise Busy() from error
        raise AssertionError("unreachable")

    def _bar(self) -> None:
        """Let the user begin nothing more, and end the user's sockets.

        An operation of the user's that is at work in a room keeps others out of that room until it
        commits. One that brings the user into a room holds the account (`operations.accounts`), and
        this waits for it. Later operations find the account deactivated.
        """
        if can_deactivate():
            model: Any = get_user_model()._meta.get_field("is_active").model
            rows = model._base_manager.using(router.db_for_write(model)).filter(pk=self._user_id)
            rows.select_for_update().order_by().values_list("pk").first()
            rows.update(is_active=False)
        announce_sign_out(self._user_id)

    def _sweep(self) -> None:
        """Erase what there is at this moment."""
        own = (Membership, UserStream, get_model("Message"), get_model("Room"))
        relations = [each for each in find_relations() if not issubclass(each.model, own)]
        for relation in relations:
            if relation.room:
                self._erase_in_rooms(relation)
        for room_id in self._rooms(Membership.objects.primary(user_id=self._user_id)):
            self._leave(room_id)
        for room_id in self._rooms(_messages(sender_id=self._user_id)):
            self._erase_messages(room_id)
        for room_id in _rooms(creator_id=self._user_id).values_list("pk", flat=True):
            self._note("rooms", self._perform(partial(self._renounce, room_id)))
        for relation in relations:
            if not relation.room:
                self._erase_rows(relation)
        self._erase_permissions()
        self._erase_stream()

    # In rooms

    @staticmethod
    def _rooms(rows: Any) -> list[Any]:
        return sorted(set(rows.order_by().values_list("room_id", flat=True).distinct()), key=str)

    def _enter(self, room_id: Any) -> AbstractRoom | None:
        """Lock a room, and return it."""
        streams.lock(room_id)
        room: AbstractRoom | None = _rooms(pk=room_id).first()
        return room

    def _is_in(self, room: AbstractRoom) -> bool:
        return Membership.objects.primary(room_id=room.pk, user_id=self._user_id).exists()

    def _tell_former(self, room: AbstractRoom) -> None:
        """Tell a room's members what is erased of a user who has left it before.

        A room that the user is still in is told at the end, when the membership goes.
        """
        if room.rules.name and not self._is_in(room):
            tell_of_erasure(streams.current(), room, self._user_id, self._fate)

    def _erase_in_rooms(self, relation: Relation) -> None:
        """Erase rows that stand in rooms: receipts, deliveries, reactions, notifications."""
        rows = relation.of(self._user_id).order_by().values_list("pk", relation.room)
        while found := sorted(rows[:_KEYS_AT_ONCE], key=lambda row: str(row[1])):
            for room_id, group in itertools.groupby(found, key=lambda row: row[1]):
                for keys in _in_batches([key for key, _ in group], self._batch):
                    self._perform(partial(self._erase_in_room, relation, room_id, keys))
                    self._note(_plural(relation), len(keys))

    def _erase_in_room(self, relation: Relation, room_id: Any, keys: list[Any]) -> None:
        room = self._enter(room_id)
        self._erase(relation, keys)
        if room is not None and relation.is_shown:
            self._tell_former(room)

    def _leave(self, room_id: Any) -> None:
        """End a membership, with all that the user wrote in the room."""
        if self._perform(partial(self._is_pair, room_id)):
            while count := self._perform(partial(self._thin_out, room_id)):
                self._note("messages", count)
        else:
            self._erase_messages(room_id)
        self._note("memberships", self._perform(partial(self._end_membership, room_id)))

    def _is_pair(self, room_id: Any) -> bool:
        room = self._enter(room_id)
        return room is not None and room.rules.paired

    def _thin_out(self, room_id: Any) -> int:
        """Delete a batch of the messages of a one-to-one chat; the last few go with the chat."""
        room = self._enter(room_id)
        messages = list(_messages(room_id=room_id).order_by("created_at", "pk")[: self._batch + 1])
        if room is None or len(messages) <= self._batch:
            return 0  # the rest goes with the room
        some = messages[: self._batch]
        self._delete(room, some)
        return len(some)

    def _end_membership(self, room_id: Any) -> int:
        room = self._enter(room_id)
        found = Membership.objects.primary(room_id=room_id, user_id=self._user_id).first()
        if room is None or found is None:
            return 0
        found.room = room
        found.in_bulk = True
        bulk.delete([found])
        members_changed.send(
            sender=Membership, room=room, removed=[found], accounts={self._user_id: self._fate}
        )
        return 1

    def _erase_messages(self, room_id: Any) -> None:
        """Let the user's messages in a room meet their fate."""
        while count := self._perform(partial(self._erase_some, room_id)):
            self._note("messages", count)

    def _erase_some(self, room_id: Any) -> int:
        room = self._enter(room_id)
        if room is None:
            return 0
        own = _messages(room_id=room_id, sender_id=self._user_id)
        messages = list(own.order_by("-created_at", "-pk")[: self._batch])
        if not messages:
            return 0
        if self._fate == DELETE:
            self._delete(room, messages)
        else:
            self._keep(room, messages)
        self._tell_former(room)
        return len(messages)

    def _delete(self, room: AbstractRoom, messages: list[Any]) -> None:
        """Delete messages as `message.delete` does. A hidden row keeps neither text nor name."""
        keys = [message.pk for message in messages]
        told = [message.pk for message in messages if not message.is_deleted]
        streams.erase_messages(keys, copies=True)
        if chat_settings.MESSAGE_SOFT_DELETE and not room.rules.paired:
            self._blank(messages, is_deleted=True)
            _of_messages("ChatNotification", keys).delete()
        else:
            rows = _messages(pk__in=keys)
            told_by_operation(rows)
            rows.delete()
        if told and room.rules.name:
            tell_of_deletion(streams.current(), room, told)

    def _keep(self, room: AbstractRoom, messages: list[Any]) -> None:
        """Take the sender's name off messages, and perhaps their content."""
        hidden = [message for message in messages if message.is_deleted]
        shown = [message for message in messages if not message.is_deleted]
        self._blank(hidden)
        if self._fate == BLANK:
            self._blank(shown, is_edited=True, updated_at=timezone.now())
        else:
            bulk.update(shown, sender=None)
        if room.pk not in self._shown:
            self._shown.add(room.pk)
            self._show(room, shown[:_SHOWN])

    def _blank(self, messages: list[Any], **values: Any) -> None:
        """Empty messages: no text, no attachments, no sender."""
        bulk.update(messages, content="", sender=None, **values)
        keys = [message.pk for message in messages]
        _of_messages("MessageMediaAsset", keys).delete()
        forget_mentions(keys)

    def _show(self, room: AbstractRoom, messages: list[Any]) -> None:
        """Show the newest messages anew: a client has them on the screen."""
        if room.rules.name:
            for message in reversed(load_messages(messages)):
                streams.current().broadcast(room, MessageEdited(message))

    def _renounce(self, room_id: Any) -> int:
        """Find a new creator for a room that the user created and has left."""
        room = self._enter(room_id)
        if room is None or room.creator_id != self._user_id:
            return 0
        if not room.rules.name:
            _rooms(pk=room_id).update(creator=None)
        elif appoint(room, orphaned=True):
            load_rooms([room])
            streams.current().broadcast(room, RoomUpdated(room))
        return 1

    # Elsewhere

    def _erase_rows(self, relation: Relation) -> None:
        """Erase what else refers to the user, a batch after the other."""
        rows = relation.of(self._user_id).order_by().values_list("pk", flat=True)
        while keys := list(rows[: self._batch]):
            self._perform(partial(self._erase, relation, keys))
            self._note(_plural(relation), len(keys))

    def _erase(self, relation: Relation, keys: list[Any]) -> None:
        rows = relation.rows(pk__in=keys)
        # Kept messages stay in forwards as well: there, too, only the sender's name goes.
        is_kept = relation.model is MessageCopy and self._fate == KEEP
        if is_kept or relation.is_cleared:
            rows.update(**{relation.field: None})
        else:
            rows.delete()

    def _erase_permissions(self) -> None:
        """Erase the user's object permissions on what the chat has."""
        models = {get_model(name)._meta.concrete_model for name in chat_settings.MODELS}
        types = [ContentType.objects.get_for_model(model) for model in models]
        stored = UserObjectPermission.objects.using(router.db_for_write(UserObjectPermission))
        held = stored.filter(user_id=self._user_id, content_type__in=types)
        while keys := list(held.order_by().values_list("pk", flat=True)[: self._batch]):
            stored.filter(pk__in=keys).delete()
            self._note("permissions", len(keys))

    def _erase_stream(self) -> None:
        """Erase the log of the user's own stream. Its position, a number, stays."""
        log = streams.select_log().filter(stream=streams.user_stream(self._user_id))
        while keys := list(log.order_by("seq").values_list("pk", flat=True)[: self._batch]):
            streams.delete_frames(streams.select_log().filter(pk__in=keys))
            self._note("frames of the own stream", len(keys))

    def _erase_log(self) -> None:
        """Take the user out of all that the log shows to others."""
        changed = streams.erase_names(
            {self._user_id: self._name}, blank=self._fate != KEEP, told=self._tell_search
        )
        self._note("frames of others", changed)

    def _tell_search(self, done: int, whole: int) -> None:
        if self._progress is not None:
            self._progress("places in the event log", done, whole)


def _messages(**conditions: Any) -> Any:
    model = get_model("Message")
    return model._base_manager.using(router.db_for_write(model)).filter(**conditions)


def _rooms(**conditions: Any) -> Any:
    model = get_model("Room")
    return model._base_manager.using(router.db_for_write(model)).filter(**conditions)


def _of_messages(name: str, keys: list[Any]) -> Any:
    model = get_model(name)
    rows = model._base_manager.using(router.db_for_write(model))
    return rows.filter(message_id__in=keys)


def _plural(relation: Relation) -> str:
    return str(relation.model._meta.verbose_name_plural)


def _in_batches(keys: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
