"""Mentions: whom a message calls: users by name, the whole room, or who is there just now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, router
from django.db.models import Exists, F, OuterRef, Q

from ..nouns import has_feature
from ..sql.statements import Among
from .memberships import Membership
from .registry import get_model
from .visibility import members_who_see

FEATURE = "mentions"
"""The name of the feature."""


@dataclass(slots=True)
class Mentions:
    """Whom a message mentions, as frames show it.

    Attributes:
        users: the users who are mentioned by name.
        room: whether everybody is who was in the room when the message was written.
        here: whether those are who had a socket open at the time.
    """

    users: list[Any] = field(default_factory=list)
    room: bool = False
    here: bool = False


class Mention(models.Model):
    """That a message mentions a user; or, in a row without a user, that it mentions a whole room.

    A user who is taken out by an edit keeps a row in which nothing is set: another edit does not
    notify them anew.

    Attributes:
        message: the message.
        user: who is mentioned; None for the one row of a message that calls the room.
        room: the room of the message.
        created_at: the time of the message, in whose order mentions are listed.
        by_name: whether the message names the user.
        here: whether the user was there when the message called those who are; in the row without
            a user, whether it does.
        whole_room: in the row without a user, whether the message calls everybody.
        told: in the row without a user, whether it ever did: nobody is told a second time.
    """

    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the unique constraint serves it
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        db_index=False,  # the index over user and time serves it
    )
    room = models.ForeignKey(
        settings.GQL_CHAT_ROOM_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the index over room and time serves it
    )
    created_at = models.DateTimeField(editable=False)
    by_name = models.BooleanField(default=False)
    here = models.BooleanField(default=False)
    whole_room = models.BooleanField(default=False)
    told = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "created_at", "message"], name="gql_chat_mention_user"),
            models.Index(fields=["room", "created_at", "message"], name="gql_chat_mention_room"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["message", "user"], name="gql_chat_mention_once"),
            models.UniqueConstraint(
                fields=["message"], condition=Q(user__isnull=True), name="gql_chat_mention_call"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id or 'the room'} in {self.message_id}"


def has_mentions() -> bool:
    """Tell whether the chat has the feature."""
    return has_feature(FEATURE)


def primary() -> models.QuerySet[Mention]:
    """Return mentions as the database has them that is written."""
    return Mention.objects.using(router.db_for_write(Mention))


def select_shown(message_ids: Any) -> Any:
    """Return what frames show of the mentions of messages, for a statement.

    Args:
        message_ids: the placeholder of the keys.
    """
    shown = Mention.objects.filter(Q(by_name=True) | Q(user__isnull=True))
    rows = shown.filter(Among(F("message_id"), message_ids)).order_by("pk")
    return rows.values_list("message_id", "user_id", "whole_room", "here")


def may_have_mentions() -> dict[str, Any]:
    """Return the annotation of messages that tells whether there are mentions to load."""
    if not has_mentions():
        return {}
    return {"may_have_mentions": Exists(Mention.objects.filter(message_id=OuterRef("pk")))}


def mentioning(user_id: Any, message: str, joined_at: Any = None) -> Any:
    """Return the condition that a message mentions a user, in whatever way.

    Args:
        user_id: the user: a key, a placeholder, or an `OuterRef`.
        message: what refers to the key of the message from the row that the condition is on.
        joined_at: since when the user is in the room, so that calls of before are none of theirs;
            None where it is known that they were in it when the message was written.
    """
    rows = Mention.objects.filter(message_id=OuterRef(message))
    called = rows.filter(user__isnull=True, whole_room=True)
    if joined_at is not None:
        called = called.filter(created_at__gte=joined_at)
    own = rows.filter(Q(by_name=True) | Q(here=True), user_id=user_id)
    return Q(Exists(own)) | Q(Exists(called))


def forget_mentions(message_ids: Collection[Any]) -> None:
    """Delete the mentions of messages whose rows stay, hidden; the others go with their rows."""
    if message_ids and has_mentions():
        primary().filter(message_id__in=message_ids).delete()


def find_readers(message: Any, user_ids: Iterable[Any]) -> set[Any]:
    """Return those of some users who have read a message, or from whom it is hidden.

    They have read it by a receipt or a marker.

    Args:
        message: the message.
        user_ids: the users, members of its room.
    """
    receipts, keys = get_model("ReadReceipt"), list(user_ids)
    read = receipts.objects.using(router.db_for_write(receipts)).filter(message_id=message.pk)
    readers = set(read.filter(reader_id__in=keys).values_list("reader_id", flat=True))
    at = message.created_at
    members = Membership.objects.primary(room_id=message.room_id, user_id__in=keys)
    beyond = Q(unread_from__gt=at) if has_feature("read_markers") else Q()
    if has_feature("history"):
        beyond |= ~members_who_see(at)
    if beyond:
        readers.update(members.filter(beyond).values_list("user_id", flat=True))
    return readers


def find_seeing(message: Any, user_ids: Iterable[Any]) -> set[Any]:
    """Return those of some users who may see a message (`models.visibility`).

    Args:
        message: the message.
        user_ids: the users.
    """
    members = Membership.objects.primary(room_id=message.room_id, user_id__in=list(user_ids))
    seeing = members.filter(members_who_see(message.created_at))
    return set(seeing.values_list("user_id", flat=True))
