"""Messages: send, edit, delete, and typing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.models import Q
from django.utils import timezone

from .. import streams
from ..columns import ON_CREATE, ON_EDIT
from ..conf import chat_settings
from ..contents import Contents
from ..errors import (
    ECHO_LENGTH,
    Invalid,
    NotFound,
    PermissionDenied,
    shorten,
)
from ..events import (
    MessageEdited,
    MessagesDeleted,
    MessageSent,
    Typing,
)
from ..json_values import find_problem
from ..models import (
    MEDIA_TYPES,
    MIME_TYPES,
    AbstractMessage,
    AbstractRoom,
    ClientMessage,
    Membership,
    Pin,
    SavedMessage,
    get_model,
)
from ..models.accounts import as_shown
from ..models.deletions import told_by_operation
from ..models.links import LINK_LENGTH, check_link
from ..models.mentions import forget_mentions
from ..models.messages import CAPTION_LENGTH, CLIENT_ID_LENGTH
from ..models.relations import MessageRelations, keep_copy, load_messages
from ..models.visibility import hide_quotes, visible_from
from ..nouns import has_feature
from ..sanitize import clean, needs_cleaning
from ..sql import bulk
from ..sql.carriers import Held
from ..sql.statements import Statement, find_by
from .base import Operations, operation, own_memberships, primary
from .mentioning import Mentioning, tell_unread
from .quotations import lock_with_quoting
from .sight import check_sees

_uses: Statement[Any] = find_by(
    lambda: ClientMessage.objects.values_list("pk"), "sender_id", "client_id"
)
_TICK = timedelta(microseconds=1)
_MEDIA_FIELDS = {"media_url", "media_type", "mime_type", "file_size", "caption", "metadata"}


@dataclass(slots=True)
class Sent:
    """What became of a send.

    Attributes:
        message_id: the id of the message.
        stream, seq: its stream, and its sequence number there.
        original: for a repeat of a `client_id`, the message as it stands.
    """

    message_id: Any
    stream: str
    seq: int
    original: AbstractMessage | None = None


class MessageOperations(Operations):
    """What a user does with messages."""

    @operation
    def send_message(
        self,
        room_id: Any,
        content: str = "",
        *,
        parent_message_id: Any = None,
        forwarded_from_id: Any = None,
        media: Sequence[Mapping[str, Any]] = (),
        client_id: str | None = None,
        fields: Mapping[str, Any] | None = None,
        mentions: Mapping[str, Any] | None = None,
    ) -> Sent:
        """Write a message into a room and tell its members.

        Args:
            room_id: the room.
            content: what is written; it is cleaned.
            parent_message_id: the message that this one answers.
            forwarded_from_id: the message that this one passes on.
            media: attachments, with the fields of `MessageMediaAsset`.
            client_id: the sender's own id for it; with the same one again nothing is stored.
            fields: values for columns that the project's message type lets users write.
            mentions: whom it mentions: `users` (ids), `room` and `here`.

        Raises:
            NotFound: the room, a quoted message or a mentioned user does not exist.
            PermissionDenied: the user may not write here, may not read what is quoted, or may not
                mention everybody.
            Invalid: a rule about content, media, quotes or mentions is broken.
        """
        if client_id is not None and not 0 < len(client_id) <= CLIENT_ID_LENGTH:
            raise Invalid({"client_id": f"1 to {CLIENT_ID_LENGTH} characters."})
        mentioning = Mentioning(self, mentions)
        with streams.transaction() as outbox:
            quoted_ids = {parent_message_id, forwarded_from_id} - {None}
            if quoted_ids:
                self._lock_with_quoted(room_id, quoted_ids)
            seen: list[Held] = []
            if client_id is None:
                room, found = self.find_place(room_id, lock=True)
            else:
                look = _uses.text(self.user_id, client_id)
                room, found = self.find_place(
                    room_id, lock=True, ahead=lambda: seen.append(outbox.carrier.ahead(*look))
                )
            hides = chat_settings.HIDE_FORBIDDEN
            if hides:
                # Before the search for quoted messages: its error would tell that the room exists.
                membership = self.admit(room, found, self.permissions.can_send_as_outsider)
            parent, forwarded = self._find_quoted(parent_message_id, forwarded_from_id)
            repeats = client_id is not None and bool(seen[0].rows())
            if not repeats:
                mentioning.find(room)
            named = [quoted for quoted in (parent, forwarded) if quoted is not None]
            if hides:
                check_sees(self, named, membership)
            else:
                membership = self.admit(room, found, self.permissions.can_send_as_outsider)
            if client_id is not None and repeats:
                repeat = self._find_repeat(client_id, membership)
                if repeat is not None:
                    return repeat
                mentioning.find(room)
            if not self.permissions.can_send(membership):
                raise PermissionDenied("You may not send messages in this room.")
            mentioning.check_right(membership)
            if not hides:
                check_sees(self, named, membership)
            self._check_quoted(parent, forwarded)
            mentioning.check_rules(room)
            limit = chat_settings.MAX_MEDIA_ITEMS
            if limit is not None and len(media) > limit:
                raise Invalid({"extra_fields.media": f"At most {limit} items are allowed."})
            assets = [self._make_asset(place, item) for place, item in enumerate(media)]
            now = self._next_time(room)
            message = get_model("Message")(
                room=room,
                sender=membership.user,
                content=self.clean_content(content, required=not (assets or forwarded)),
                parent_message=parent,
                forwarded_from=forwarded,
                is_forwarded=forwarded is not None,
                created_at=now,
                updated_at=now,
                stream_seq=room.seq + 1,
                **self.clean_fields("Message", ON_CREATE, get_model("Message"), fields or {}),
            )
            self.validate_message(message)
            if client_id is not None:
                repeat = self._remember(client_id, message, membership)
                if repeat is not None:
                    return repeat
            quoted = parent or forwarded
            if quoted is None:
                message.relations = MessageRelations()
            else:
                load_messages([message], {self.user_id: membership.user}, [quoted])
            if forwarded is not None:
                keep_copy(message, forwarded)
            # Nothing else can hang on a message that nobody has seen yet.
            message.relations.attachments = assets
            message.save(force_insert=True)
            self._attach(message, assets)
            mentioning.write(message)
            envelope = outbox.broadcast(room, MessageSent(message), activity=now)
            if client_id is not None and envelope.seq != message.stream_seq:
                # A receiver wrote into the room meanwhile, or the log was ahead of the column.
                remembered = ClientMessage.objects.filter(sender_id=self.user_id)
                remembered.filter(client_id=client_id).update(seq=envelope.seq)
        return Sent(message.pk, envelope.stream, envelope.seq)

    @operation
    def edit_message(
        self,
        message_id: Any,
        content: str | None,
        fields: Mapping[str, Any] | None = None,
        mentions: Mapping[str, Any] | None = None,
    ) -> AbstractMessage:
        """Change a message of the user's own and tell the members.

        Args:
            message_id: the message.
            content: its new text; None leaves the text as it is.
            fields: values for columns that the project's message type lets users change.
            mentions: whom it mentions from now on, as for sending; None leaves that as it is.

        Raises:
            NotFound, PermissionDenied, Invalid: as for sending.
        """
        mentioning = Mentioning(self, mentions)
        with streams.transaction() as outbox:
            if chat_settings.ERASE_LOG == "edited":
                self._lock_with_replies([message_id])
            message, membership = self.enter_message(message_id)
            if mentioning.is_given:
                load_messages([message])
                mentioning.find(membership.room, message)
            if not self.permissions.can_change_message(membership, message):
                raise PermissionDenied("You may not change this message.")
            mentioning.check_right(membership)
            if message.is_deleted:
                raise Invalid("A deleted message cannot be edited.")
            mentioning.check_rules(membership.room)
            if not mentioning.is_given:
                load_messages([message])
            if content is not None:
                bare = message.relations.attachments or message.is_forwarded
                message.content = self.clean_content(content, required=not bare)
            changes = self.clean_fields("Message", ON_EDIT, type(message), fields or {})
            for name, value in changes.items():
                setattr(message, name, value)
            self.validate_message(message)
            message.is_edited = True
            message.updated_at = timezone.now()
            message.save(update_fields=["content", "is_edited", "updated_at", *changes])
            mentioned = mentioning.write(message)
            edited = [*changes] if content is None else ["content", *changes]
            streams.erase_edited(message, [*edited, "mentions"] if mentioned.is_any else edited)
            event = MessageEdited(message)
            outbox.broadcast(membership.room, event)
            mentioning.notify(message, event, mentioned)
            if mentioned.affected:
                tell_unread(mentioned.affected, membership.room)
        return message

    @operation
    def delete_messages(self, message_ids: Iterable[Any]) -> list[Any]:
        """Delete messages of one room, and tell its members.

        With `MESSAGE_SOFT_DELETE` the rows stay, hidden; otherwise they go. Their
        notifications go in both cases, and what the event log shows of them (`ERASE_LOG`).
        Returns the ids.

        Raises:
            NotFound, PermissionDenied: for any one of them.
            Invalid: they stand in several rooms, or one is deleted already.
        """
        message_ids = list(message_ids)
        with streams.transaction() as outbox:
            self._lock_with_replies(message_ids)
            messages = self.find_messages(message_ids)
            room_ids = {message.room_id for message in messages}
            room = messages[0].room
            memberships = self._enter_all(messages)
            for message in messages:
                membership = memberships[message.room_id]
                if not self.permissions.can_delete_message(membership, message):
                    raise PermissionDenied("You may not delete this message.")
            if len(room_ids) > 1:
                raise Invalid({"message_id": "All messages must stand in one room."})
            if any(message.is_deleted for message in messages):
                raise Invalid({"message_id": "A message is deleted already."})
            ids = [message.pk for message in messages]
            stored = primary(get_model("Message").objects).filter(pk__in=ids)
            erasure = streams.plan_erasure(ids)
            if chat_settings.MESSAGE_SOFT_DELETE:
                bulk.update(messages, is_deleted=True, updated_at=timezone.now())
                get_model("ChatNotification").objects.filter(message_id__in=ids).delete()
                if has_feature("pins"):
                    for model in (Pin, SavedMessage):
                        primary(model.objects).filter(message_id__in=ids).delete()
                forget_mentions(ids)
            else:
                told_by_operation(stored)
                stored.delete()
            erasure.write()
            event = MessagesDeleted(ids, deleted_by=self.user.get_username())
            outbox.broadcast(room, event, activity=room.newest_activity())
        return ids

    def _enter_all(self, messages: list[AbstractMessage]) -> dict[Any, Membership]:
        """Return the user's membership of each room that messages stand in."""
        rooms = {message.room_id: message.room for message in messages}
        if len(rooms) == 1 or self.as_system:
            return {room_id: self.enter_found(room) for room_id, room in rooms.items()}
        found = {each.room_id: each for each in own_memberships.all(self.user_id, rooms)}
        return {room_id: self.admit(room, found.get(room_id)) for room_id, room in rooms.items()}

    def type_in(self, room_id: Any, *, is_typing: bool = True) -> None:
        """Tell the members of a room that the user types, or has stopped.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user may not write here.
        """
        with streams.transaction() as outbox:
            room, found = self.find_place(room_id)
            membership = self.admit(room, found, self.permissions.can_send_as_outsider)
            if not self.permissions.can_send(membership):
                raise PermissionDenied("You may not send messages in this room.")
            event = Typing(
                username=membership.user.get_username(),
                user_id=membership.user_id,
                room_id=room.pk,
                is_typing=is_typing,
            )
            outbox.transient(room, event)

    @cached_property
    def contents(self) -> Contents:
        """What was cleaned before the transaction."""
        return Contents()

    def prepare_content(self, content: str) -> None:
        """Clean a content that has markup, before a transaction holds locks meanwhile.

        An error is kept: `clean_content` raises it when the operation comes to the content.
        """
        if needs_cleaning(content) and not _is_too_long(content):
            self.contents.clean(content, self.sanitize)

    def clean_content(self, content: str, *, required: bool) -> str:
        """Return the content of a new or edited message as it is stored.

        Raises:
            Invalid: it is too long, before or after it is cleaned, its markup is too much work,
                or it is empty where it is `required`.
        """
        if _is_too_long(content):
            limit = chat_settings.MAX_MESSAGE_LENGTH
            raise Invalid({"content": f"At most {limit} characters are allowed."})
        cleaned = self.contents.find(content)
        if cleaned is None:
            cleaned = self.sanitize(content)
        if _is_too_long(cleaned):
            limit = chat_settings.MAX_MESSAGE_LENGTH
            raise Invalid({"content": f"Cleaned, it has more than {limit} characters."})
        if required and not cleaned.strip():
            raise Invalid({"content": "A message without media or a forward needs content."})
        return cleaned

    def sanitize(self, content: str) -> str:
        """Return what a page may show of a content. Projects override it for rules of their own.

        Text with markup is cleaned before the operation begins, on another thread.
        """
        return clean(content)

    def validate_message(self, message: AbstractMessage) -> None:
        """Refuse a message before it is written. Nothing by default; projects override it."""

    def _lock_with_replies(self, message_ids: list[Any]) -> None:
        """Lock the rooms of messages together with other rooms that quote them, if some do."""
        quoted = Q(parent_message__in=message_ids)
        messages = primary(get_model("Message").objects).filter(pk__in=message_ids)
        lock_with_quoting(self, quoted, messages.values_list("room_id", flat=True))

    def _lock_with_quoted(self, room_id: Any, quoted_ids: set[Any]) -> None:
        """Lock a room together with those in which quoted messages stand: they shall not go."""
        quoted = primary(get_model("Message").objects).filter(pk__in=quoted_ids)
        rooms = set(quoted.values_list("room_id", flat=True)) - {room_id}
        if rooms:
            self.lock_rooms([room_id, *rooms])

    def _find_quoted(self, parent_id: Any, forwarded_id: Any) -> tuple[Any, Any]:
        ids = {quoted_id for quoted_id in (parent_id, forwarded_id) if quoted_id is not None}
        if not ids:
            return None, None
        found = primary(get_model("Message").objects).in_bulk(ids)
        if len(found) < len(ids):
            raise NotFound("There is no such message.")
        return found.get(parent_id), found.get(forwarded_id)

    @staticmethod
    def _check_quoted(parent: Any, forwarded: Any) -> None:
        if parent is not None and forwarded is not None:
            raise Invalid("A message is a reply or a forward, not both.")
        if (quoted := parent or forwarded) is not None and quoted.is_deleted:
            raise Invalid("A deleted message can be neither answered nor forwarded.")

    def _make_asset(self, place: int, item: Mapping[str, Any]) -> Any:
        """Return an attachment, not saved yet.

        Raises:
            Invalid: naming the field of the media item that is wrong.
        """
        where = f"extra_fields.media.{place}"
        problems = {}
        try:
            check_link(item.get("media_url"))
        except ValidationError:
            problems["media_url"] = "This is not an http or https link."
        if len(item.get("media_url") or "") > LINK_LENGTH:
            problems["media_url"] = f"At most {LINK_LENGTH} characters are allowed."
        if item.get("media_type") not in MEDIA_TYPES:
            problems["media_type"] = f"One of {', '.join(MEDIA_TYPES)} is needed."
        if item.get("mime_type") not in MIME_TYPES:
            found = shorten(str(item.get("mime_type")), ECHO_LENGTH)
            problems["mime_type"] = f"{found} is not an allowed type."
        if len(item.get("caption") or "") > CAPTION_LENGTH:
            problems["caption"] = f"At most {CAPTION_LENGTH} characters are allowed."
        if item.get("metadata", {}) is None:
            problems["metadata"] = "This field must not be null."
        elif problem := find_problem(item.get("metadata", {})):
            problems["metadata"] = problem
        if problems:
            raise Invalid({where: problems})
        model = get_model("MessageMediaAsset")
        own = {name: value for name, value in item.items() if name not in _MEDIA_FIELDS}
        own = self.clean_fields("Attachment", ON_CREATE, model, own, where)
        return model(position=place, **{**item, **own})

    @staticmethod
    def _attach(message: AbstractMessage, assets: list[Any]) -> None:
        for asset in assets:
            asset.message = message
        bulk.insert(assets)

    @staticmethod
    def _next_time(room: AbstractRoom) -> datetime:
        # Servers' clocks differ; a room's messages have one order all the same.
        next_time: datetime = max(timezone.now(), room.last_activity + _TICK)
        return next_time

    def _find_repeat(self, client_id: str, membership: Membership) -> Sent | None:
        sent = primary(ClientMessage.objects)
        seen = sent.filter(sender_id=self.user_id, client_id=client_id).first()
        if seen is None:
            return None
        messages = primary(get_model("Message").objects).filter(pk=seen.message)
        original = as_shown(messages.select_related("sender"), "sender").first()
        if original is None or original.is_deleted:
            raise NotFound("The message that was sent with this client_id is deleted.")
        check_sees(self, [original], membership)
        load_messages([original])
        hide_quotes([original], {membership.room_id: visible_from(membership)})
        return Sent(seen.message, seen.stream, seen.seq, original)

    def _remember(
        self, client_id: str, message: AbstractMessage, membership: Membership
    ) -> Sent | None:
        """Note that the `client_id` is used; return what another socket sent with it just now.

        Raises:
            Again: another socket did, and this transaction, which began before, cannot see it.
        """
        connection = connections[router.db_for_write(ClientMessage)]
        use = {
            "sender_id": self.user_id,
            "client_id": client_id,
            "message": message.pk,
            "stream": streams.room_stream(message.room_id),
            "seq": message.room.seq + 1,
        }
        field: Any = ClientMessage._meta.get_field
        values = [field(name).get_db_prep_save(value, connection) for name, value in use.items()]
        with connection.cursor() as cursor:
            # Django can ignore a conflict, but does not say whether there was one.
            cursor.execute(
                f"INSERT INTO {ClientMessage._meta.db_table} ({', '.join(use)}) "
                f"VALUES ({', '.join(['%s'] * len(use))}) "
                "ON CONFLICT (sender_id, client_id) DO NOTHING RETURNING id",
                values,
            )
            if cursor.fetchone() is not None:
                return None
        repeat = self._find_repeat(client_id, membership)
        if repeat is None:
            raise streams.Again("This client_id is being used at this moment.")
        return repeat


def _is_too_long(content: str) -> bool:
    limit = chat_settings.MAX_MESSAGE_LENGTH
    return limit is not None and len(content) > limit
