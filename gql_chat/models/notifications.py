"""Notifications: one row per message or reaction that somebody has not got yet."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.db.models import Exists, F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from ..conf import model_setting
from ..nouns import has_feature
from ..sql.statements import (
    Among,
    Besides,
    Many,
    One,
    Statement,
    Update,
)
from .accounts import shown_version
from .audiences import narrow
from .constraints import partial_index
from .memberships import Membership
from .messages import Delivery
from .pending import find_newest
from .read_markers import ReadMarker
from .registry import get_model
from .visibility import members_who_see


class NotificationType(models.TextChoices):
    """What a notification is about."""

    NEW_MESSAGE = "NEW_MESSAGE"
    REPLY = "REPLY"
    REACTION = "REACTION"


class NotificationManager(models.Manager["AbstractChatNotification"]):
    """Notifications; the recipients of a message's are worked out, never stored.

    A message waits for the members who were in its room when it was written, except its
    sender, those who acknowledged it, and those who have read the room up to it. A reaction waits
    for the sender of the message.
    """

    def make_for_message(self, message: Any) -> AbstractChatNotification:
        """Write the one row that a message makes, and return it."""
        return self._make(message, **self._describe(message))

    def build_for_message(self, message: Any) -> AbstractChatNotification:
        """Return the row that a message makes, not stored: for one that nobody waits for."""
        return self.model(message=message, room_id=message.room_id, **self._describe(message))

    @staticmethod
    def _describe(message: Any) -> dict[str, Any]:
        reply = message.parent_message_id is not None
        return {
            "notification_type": (
                NotificationType.REPLY.value if reply else NotificationType.NEW_MESSAGE.value
            ),
            "actor_id": message.sender_id,
            "created_at": message.created_at,
        }

    def make_for_reaction(self, reaction: Any) -> AbstractChatNotification | None:
        """Write the one row that a reaction makes, for the message's sender if still a member.

        It takes the place of the one that the user's earlier reaction made. Returns the row, or
        None where there is nobody to notify.
        """
        message = reaction.message
        sender: Any = _reacted_to.first(
            message.pk, reaction.user_id, message.room_id, message.sender_id, message.created_at
        )
        if sender is None or sender.has_notification:
            self.delete_for_reaction(message.pk, reaction.user_id)
        if sender is None or message.sender_id == reaction.user_id:
            return None
        return self._make(
            message,
            notification_type=NotificationType.REACTION,
            actor_id=reaction.user_id,
            recipient_id=message.sender_id,
            created_at=reaction.created_at,
        )

    def _make(self, message: Any, **fields: Any) -> AbstractChatNotification:
        return self.create(message=message, room_id=message.room_id, **fields)

    def delete_for_reaction(self, message_id: Any, user_id: Any) -> None:
        """Delete the row that a user's reaction to a message made."""
        for notification in _of_reactions.all(message_id, user_id):
            notification.delete()

    def pending_for(self, user_id: Any, size: int | None = None) -> list[Any]:
        """Return what waits for a user, with its message and sender, the oldest first.

        Args:
            user_id: the user.
            size: how many at most, then the newest; None for all.
        """
        return find_newest(user_id, size)[::-1]

    def acknowledge(self, user_id: Any, message_ids: list[Any], room_ids: list[Any]) -> None:
        """Take a user, who has acknowledged messages in these rooms, out of the recipients.

        Reactions to these messages that wait for the user are done with, so their rows go;
        the other notifications go when nobody is left (`delete_finished_of`).
        """
        if reactions := _reactions_for.all(user_id, message_ids):
            self.filter(pk__in=[notification.pk for notification in reactions]).delete()
        _pending_marks.run(user_id, room_ids)

    def finished(self) -> models.QuerySet[AbstractChatNotification]:
        """Return the notifications of messages that nobody is waiting for any more."""
        found: models.QuerySet[AbstractChatNotification] = _select_finished()
        return found

    def delete_finished(self, **scope: Any) -> None:
        """Delete the notifications of messages that nobody is waiting for any more.

        Args:
            scope: a filter for the notifications to check, such as `room_id=...`; no others are.
        """
        self.finished().filter(**scope).delete()

    def delete_finished_of(self, message_ids: Iterable[Any]) -> None:
        """Delete those of the notifications of these messages that nobody is waiting for."""
        if finished := _finished.all(message_ids):
            self.filter(pk__in=[notification.pk for notification in finished]).delete()


def _select_finished(*conditions: Any) -> Any:
    has_it = Delivery.objects.filter(
        message_id=OuterRef(OuterRef("message_id")), user_id=OuterRef("user_id")
    )
    waiting = Membership.objects.filter(
        ~Exists(has_it),
        members_who_see(OuterRef("created_at")),
        room_id=OuterRef("room_id"),
        joined_at__lte=OuterRef("created_at"),
    ).exclude(user_id=OuterRef("actor_id"))
    waiting = _without_readers(waiting, OuterRef(OuterRef("created_at")))
    notifications = get_model("ChatNotification").objects
    return notifications.filter(*conditions, ~Exists(waiting), recipient=None)


def _without_readers(members: Any, written_at: Any) -> Any:
    """Leave out members who have got what was written at a time, since they read that far."""
    if not has_feature("read_markers"):
        return members
    read = ReadMarker.objects.filter(membership_id=OuterRef("pk"), got_before__gt=written_at)
    return members.exclude(Exists(read))


def _user_key() -> list[One | Many]:
    return [One(get_user_model()._meta.pk)]


def _select_of_reactions(message_id: Any, user_id: Any) -> Any:
    return get_model("ChatNotification").objects.filter(
        Besides(F("actor_id"), user_id), message_id=message_id, recipient__isnull=False
    )


def _select_reacted_to(
    message_id: Any, actor_id: Any, room_id: Any, sender_id: Any, created_at: Any
) -> Any:
    """Find the membership of a message's sender, and whether an earlier reaction notified them."""
    earlier = _select_of_reactions(message_id, actor_id)
    members = Membership.objects.filter(
        members_who_see(created_at), room_id=room_id, user_id=sender_id
    )
    return members.annotate(has_notification=Exists(earlier)).order_by()


def _select_reactions_for(user_id: Any, message_ids: Any) -> Any:
    notifications = get_model("ChatNotification").objects
    return notifications.filter(Among(F("message_id"), message_ids), recipient_id=user_id)


def _move_pending_mark(user_id: Any, room_ids: Any) -> tuple[Any, dict[str, Any]]:
    """Move the time before which nothing waits for a user, so that searches stay short."""
    delivered = Delivery.objects.filter(message_id=OuterRef("message_id"), user_id=user_id)
    oldest = (
        get_model("ChatNotification")
        .objects.filter(
            recipient=None,
            room_id=OuterRef("room_id"),
            created_at__gte=OuterRef("pending_from"),
        )
        .exclude(actor_id=user_id)
        .exclude(Exists(delivered))
        .order_by("created_at")
        .values("created_at")[:1]
    )
    newest = get_model("Room").objects.filter(pk=OuterRef("room_id")).values("last_activity")
    mine = Membership.objects.filter(Among(F("room_id"), room_ids), user_id=user_id)
    found = Coalesce(Subquery(oldest), Subquery(newest))
    return mine, {"pending_from": Greatest(F("pending_from"), found)}


def _user_and(model: str, field: str) -> Any:
    """Return the values that a statement takes: a user, and a list of values of a field."""
    return lambda: [*_user_key(), Many(get_model(model)._meta.get_field(field))]


_finished: Statement[Any] = Statement(
    lambda message_ids: _select_finished(Among(F("message_id"), message_ids)),
    lambda: [Many(get_model("ChatNotification")._meta.get_field("message_id"))],
    shown_version,
)
_of_reactions: Statement[Any] = Statement(
    _select_of_reactions,
    lambda: [One(get_model("ChatNotification")._meta.get_field("message_id")), *_user_key()],
)
_reacted_to: Statement[Any] = Statement(
    _select_reacted_to,
    lambda: [
        One(get_model("ChatNotification")._meta.get_field("message_id")),
        *_user_key(),
        One(Membership._meta.get_field("room_id")),
        *_user_key(),
        One(Membership._meta.get_field("visible_from")),
    ],
    shown_version,
)
_reactions_for: Statement[Any] = Statement(
    _select_reactions_for, _user_and("ChatNotification", "message_id")
)
_pending_marks = Update(_move_pending_mark, _user_and("ChatNotification", "room_id"))


class AbstractChatNotification(models.Model):
    """That a message or a reaction waits for somebody: what a push service builds on.

    Attributes:
        room: the room of the message.
        actor: who wrote the message, or who reacted.
        recipient: the message's sender, for a reaction; empty for a message, whose recipients
            `recipients` works out.
        created_at: that of the message or the reaction.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    notification_type = models.CharField(max_length=16, choices=NotificationType.choices)
    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    room = models.ForeignKey(
        settings.GQL_CHAT_ROOM_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the index over room and time serves it
    )
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # a partial index serves it
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[NotificationManager] = NotificationManager()

    class Meta:
        abstract = True
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["room", "created_at"]),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            partial_index("recipient", "mine", "created_at"),
            # The waiting rows of a room are read in its order, and no further than is wanted. With
            # an index that needs sorting PostgreSQL at times reads all of it.
            partial_index(
                "room", "waiting", "created_at", condition=models.Q(recipient__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notification_type} {self.message_id}"

    @property
    def recipients(self) -> models.QuerySet[AbstractBaseUser]:
        """The users who have not got it yet, and whose preferences let it through."""
        users: models.QuerySet[AbstractBaseUser] = get_user_model()._default_manager.all()
        if self.recipient_id is not None:
            return narrow(users.filter(pk=self.recipient_id), self)
        members = Membership.objects.filter(
            members_who_see(self.created_at),
            room_id=self.room_id,
            joined_at__lte=self.created_at,
        )
        members = _without_readers(members, self.created_at)
        delivered = Delivery.objects.filter(message_id=self.message_id)
        waiting = (
            users.filter(pk__in=members.values("user_id"))
            .exclude(pk=self.actor_id)
            .exclude(pk__in=delivered.values("user_id"))
        )
        return narrow(waiting, self)


class ChatNotification(AbstractChatNotification):
    """The default notification."""

    class Meta(AbstractChatNotification.Meta):
        swappable = model_setting("ChatNotification")
