"""Notices: push services are told of notifications, after the commit that made them."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.dispatch import Signal

from .events import Event
from .models import AbstractChatNotification, AbstractMessage, get_model
from .models.audiences import MENTION, REASON, narrow
from .models.mentions import has_mentions
from .sessions import connected
from .streams.hooks import send_to_each

notification_created = Signal()
"""Sent after the commit that made a notification, for push services.

Arguments: `notification`; `recipients`, a queryset of the users who have not got it yet, and whose
preferences let it through; `mentioned`, a queryset of the recipients whom the message mentions;
`connected`, a queryset of the recipients with an open socket, whose clients usually have it by now;
and `event`, a `gql_chat.events.MessageSent` or `MessageReacted`; or a `MessageEdited`, where an
edit mentions users anew: these are the recipients. With the feature `mentions` each recipient has
the strongest reason as `chat_reason`: `mention`, `reply`, `message` or `reaction`.

The querysets are lazy: a receiver that does not use them makes no query. The sender is the model of
the notification.

Receivers run on the thread that committed, for a client's event a database thread. So a receiver
must hand over to a queue, and call no service. Its errors are logged and change nothing.
"""


def tell_of(
    notification: AbstractChatNotification, event: Event, users: Collection[Any] | None = None
) -> None:
    """Send `notification_created` after the commit, if it has a receiver.

    Args:
        notification: the notification.
        event: what happened.
        users: the keys of the only users whom it is for; None for all whom it waits for.
    """
    if notification_created.has_listeners(type(notification)):
        using = router.db_for_write(type(notification))
        transaction.on_commit(partial(_send_created, notification, event, users), using=using)


def tell_mentioned(message: AbstractMessage, event: Event, users: Collection[Any]) -> None:
    """Send `notification_created` for users whom an edit of a message mentions.

    The message has one notification, whoever is mentioned later. Where nobody waits for it any
    more, its row is gone, and the notification that receivers are given is not stored.

    Args:
        message: the message.
        event: the edit.
        users: the keys of the users.
    """
    model = get_model("ChatNotification")
    if notification_created.has_listeners(model):
        stored = model.objects.using(router.db_for_write(model))
        found = stored.filter(message_id=message.pk, recipient=None).first()
        tell_of(found or model.objects.build_for_message(message), event, users)


def _send_created(
    notification: AbstractChatNotification, event: Event, users: Collection[Any] | None
) -> None:
    if users is None:
        recipients = notification.recipients
    else:
        chosen = get_user_model()._default_manager.filter(pk__in=users)
        recipients = narrow(chosen, notification)
    is_mention = {REASON: MENTION}
    send_to_each(
        notification_created,
        sender=type(notification),
        notification=notification,
        recipients=recipients,
        mentioned=recipients.filter(**is_mention) if has_mentions() else recipients.none(),
        connected=connected(recipients),
        event=event,
    )
