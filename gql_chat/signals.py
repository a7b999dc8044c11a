"""Signal receivers: the promises that hold for the ORM, the admin, a shell and operations alike.

`connect` connects them to the models in use, so they serve swapped models, too. After a manager has
written rows in bulk, which sends no signal for each row, `members_changed` stands for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from copy import copy
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import router, transaction
from django.db.models.signals import ModelSignal, post_delete, post_save, pre_delete, pre_save
from django.dispatch import Signal, receiver

from . import streams
from .conf import SETTING, chat_settings
from .departures import (
    DELETE,
    appoint,
    find_told,
    forget_accounts,
    keep_property,
    tell_of_deletion,
    tell_of_removal,
)
from .errors import Invalid
from .events import (
    Event,
    MessageReacted,
    MessageSent,
    RoomDeleted,
    RoomUpdated,
)
from .models import (
    AbstractChatNotification,
    AbstractMessage,
    AbstractReaction,
    AbstractRoom,
    Delivery,
    Membership,
    StreamEvent,
    bulk,
    get_model,
    members_changed,
)
from .models.copies import copy_source
from .models.deletions import Deletion, deletion_of
from .models.holds import accounts_of, hold_accounts
from .models.latecomers import delete_late
from .models.receipts import own_reactions
from .models.relations import load_messages, load_rooms
from .models.rules import Role, registered, room_types
from .permissions import grant, revoke, revoke_all
from .sessions import announce_sign_out, connected
from .streams.hooks import send_to_each

notification_created = Signal()
"""Sent after the commit that made a notification, for push services.

Arguments: `notification`; `recipients`, a queryset of the users who have not got it yet;
`connected`, a queryset of the recipients with an open socket, whose clients usually have it by now;
and `event`, a `gql_chat.events.MessageSent` or `MessageReacted`. The querysets are lazy: a receiver
that does not use them makes no query. The sender is the model of the notification.

Receivers run on the thread that committed, for a client's event a database thread. So a receiver
must hand over to a queue, and call no service. Its errors are logged and change nothing.
"""


def furnish_room(sender: type[AbstractRoom], instance: AbstractRoom, **kwargs: Any) -> None:
    """Give a new room its properties, and make its creator a member who leads it."""
    if not kwargs["created"] or kwargs["raw"]:
        return
    get_model("RoomProperty").objects.get_or_create(room_id=instance.pk)
    if instance.creator_id is not None:
        Membership.objects.enter(instance, [instance.creator_id])


def close_room(
    sender: type[AbstractRoom], instance: AbstractRoom, origin: Any = None, **kwargs: Any
) -> None:
    """End the stream of a room that is about to be deleted: tell its members.

    If another transaction has deleted the room meanwhile, that one has told them.
    """
    deletion_of(origin, kwargs["using"]).rooms.add(instance.pk)
    with streams.transaction() as outbox:
        if not outbox.is_closed(instance.pk) and streams.lock(instance.pk) is not None:
            left = outbox.touched(instance.pk)
            outbox.broadcast(instance, RoomDeleted(instance.pk), left=left, closed=True)
        if outbox.is_closed(instance.pk):
            streams.erase_room(instance.pk)


def forget_room(
    sender: type[AbstractRoom], instance: AbstractRoom, using: str, **kwargs: Any
) -> None:
    """Delete the object permissions of a deleted room, and a project's rows that came late."""
    revoke_all(instance)
    delete_late(sender, instance.pk, using, deletion_of(kwargs.get("origin"), using))


def replace_reaction(
    sender: type[AbstractReaction], instance: AbstractReaction, **kwargs: Any
) -> None:
    """Keep one reaction per user and message: a new content replaces the old one.

    The constraint refuses the same content a second time.
    """
    if kwargs["raw"]:
        return
    earlier = instance.earlier
    if earlier is None:
        earlier = own_reactions.all(instance.message_id, instance.user_id)
    for reaction in earlier:
        if reaction.pk != instance.pk and reaction.reaction_content != instance.reaction_content:
            reaction.delete()


def copy_forward(sender: type[AbstractMessage], instance: AbstractMessage, **kwargs: Any) -> None:
    """Keep what a new forward passes on, as it is now."""
    if not kwargs["created"] or kwargs["raw"] or instance.forwarded_from_id is None:
        return
    if instance.source_copy is None:
        source = load_messages(get_model("Message").objects.filter(pk=instance.forwarded_from_id))
        if source:
            instance.source_copy = copy_source(instance, source[0], source[0].relations.attachments)
    if instance.source_copy is not None:
        bulk.insert([instance.source_copy])


def notify_of_message(
    sender: type[AbstractMessage], instance: AbstractMessage, **kwargs: Any
) -> None:
    """Make the notification of a new message; outside an operation, update the room's activity."""
    if not kwargs["created"] or kwargs["raw"]:
        return
    if not streams.is_running():
        get_model("Room").objects.filter(
            pk=instance.room_id, last_activity__lt=instance.created_at
        ).update(last_activity=instance.created_at)
    if chat_settings.ENABLE_NOTIFICATION:
        notification = get_model("ChatNotification").objects.make_for_message(instance)
        _tell_of(notification, MessageSent(instance))


def notify_of_reaction(
    sender: type[AbstractReaction], instance: AbstractReaction, **kwargs: Any
) -> None:
    """Make the notification of a new reaction."""
    if kwargs["created"] and not kwargs["raw"] and chat_settings.ENABLE_NOTIFICATION:
        notification = get_model("ChatNotification").objects.make_for_reaction(instance)
        if notification is not None:
            _tell_of(notification, MessageReacted("add", instance.message))


def _tell_of(notification: AbstractChatNotification, event: Event) -> None:
    """Send `notification_created` after the commit, if it has a receiver."""
    if notification_created.has_listeners(type(notification)):
        using = router.db_for_write(type(notification))
        transaction.on_commit(partial(_send_created, notification, event), using=using)


def _send_created(notification: AbstractChatNotification, event: Event) -> None:
    recipients = notification.recipients
    send_to_each(
        notification_created,
        sender=type(notification),
        notification=notification,
        recipients=recipients,
        connected=connected(recipients),
        event=event,
    )


@receiver(registered, dispatch_uid="gql_chat.room_type")
def connect_room_type(sender: type[AbstractRoom], **kwargs: Any) -> None:
    """Connect the receivers for rooms to a room type: signals go by the model, proxies apart."""
    name = sender._meta.label
    post_save.connect(furnish_room, sender=sender, dispatch_uid=f"gql_chat.furnish.{name}")
    pre_delete.connect(close_room, sender=sender, dispatch_uid=f"gql_chat.close.{name}")
    post_delete.connect(forget_room, sender=sender, dispatch_uid=f"gql_chat.forget.{name}")


def connect() -> None:
    """Connect the receivers to the models that the project uses."""
    for model in {*_kinds(get_model("Room")), *room_types()}:
        connect_room_type(model)
    message, reaction, account = get_model("Message"), get_model("Reaction"), get_user_model()
    saves: list[tuple[ModelSignal, Any, Any]] = [
        (pre_save, Membership, guard_membership),
        (post_save, Membership, follow_membership),
        (pre_save, Delivery, lock_delivery),
        (post_save, Delivery, follow_delivery),
        (pre_save, reaction, replace_reaction),
        (post_save, reaction, notify_of_reaction),
        (post_save, message, copy_forward),
        (post_save, message, notify_of_message),
    ]
    deletions: list[tuple[ModelSignal, Any, Any]] = [
        (pre_delete, Membership, note_membership),
        (post_delete, Membership, follow_deletion),
        (pre_delete, message, note_message),
        (post_delete, message, tell_of_messages),
        (pre_delete, account, note_account),
        (post_delete, account, finish_account),
    ]
    for signal, model, follow in saves:
        for kind in _kinds(model):
            signal.connect(follow, sender=kind, dispatch_uid=f"gql_chat.{follow.__name__}")
    for signal, model, follow in deletions:
        for kind in _kinds(model):
            # A row of a child model with a table of its own is deleted with a row of this model,
            # whose signal is enough.
            if kind._meta.concrete_model is model._meta.concrete_model:
                signal.connect(follow, sender=kind, dispatch_uid=f"gql_chat.{follow.__name__}")


def _kinds(model: Any) -> list[Any]:
    """Return an installed model and all that inherit from it, such as a project's proxies.

    The signals of each go by its own class.
    """
    return [each for each in apps.get_models() if issubclass(each, model)]


def _connect_on_change(*, setting: str, **_: Any) -> None:
    # A test may name another proxy for a room type.
    if setting == SETTING:
        with suppress(ImproperlyConfigured):
            connect()


setting_changed.connect(_connect_on_change, dispatch_uid="gql_chat.signals")


def guard_membership(sender: type[Membership], instance: Membership, **kwargs: Any) -> None:
    """Enforce the room's rules on memberships that are saved one by one."""
    if instance.in_bulk or kwargs["raw"]:
        return
    if not instance._state.adding:
        _guard_saved(instance, kwargs["update_fields"])
        return
    room = instance.room
    room.rules.check_changeable_members(room)
    # Locked until the membership is written: `save` is one transaction.
    with streams.hold(room):
        count = Membership.objects.primary(room_id=room.pk).count()
        room.rules.check_room_for(room, count + 1)
    instance.joined_seq = room.seq + 1
    if instance.role == Role.MEMBER:
        instance.role = room.rules.role_of(room, instance.user_id)


def _guard_saved(instance: Membership, fields: Collection[str] | None) -> None:
    """Refuse to change the user or room of a membership; note whether the save keeps its role."""
    stored = Membership.objects.primary(pk=instance.pk).values_list("role", "user_id", "room_id")
    role, *owners = stored.first() or (None, instance.user_id, instance.room_id)
    moved = {
        name: "A membership stays that of one user in one room: end it, and begin another."
        for name, was in zip(("user", "room"), owners, strict=True)
        if (fields is None or name in fields) and getattr(instance, f"{name}_id") != was
    }
    if moved:
        raise Invalid(moved)
    instance.keeps_role = role == instance.role or (fields is not None and "role" not in fields)


def follow_membership(sender: type[Membership], instance: Membership, **kwargs: Any) -> None:
    """Send `members_changed` for a membership that was saved by itself."""
    if instance.in_bulk or kwargs["raw"] or (instance.keeps_role and not kwargs["created"]):
        return
    change = "added" if kwargs["created"] else "roles"
    members_changed.send(sender=Membership, room=instance.room, **{change: [instance]})


def note_membership(
    sender: type[Membership], instance: Membership, origin: Any = None, **kwargs: Any
) -> None:
    """Note a membership that is about to be deleted, so that its deletion is announced once."""
    if not instance.in_bulk:
        deletion = _begin(origin, kwargs["using"])
        deletion.memberships[instance.pk] = instance
        room_id = instance.room_id
        _lock_once(deletion, room_id)
        if isinstance(origin, AbstractRoom):
            return  # the room is deleted, too, so it needs no heir
        # Read the roles under the lock: this member may have become the leader meanwhile.
        if room_id not in deletion.leading:
            leading = Membership.objects.primary(room_id=room_id).exclude(role=Role.MEMBER)
            deletion.leading[room_id] = dict(leading.values_list("user_id", "role"))
        instance.role = deletion.leading[room_id].get(instance.user_id, Role.MEMBER)


def _begin(origin: Any, using: str) -> Deletion:
    """Return the deletion that a signal belongs to; lock all at once if it is one of accounts."""
    deletion = deletion_of(origin, using)
    if not deletion.held:
        hold_accounts(deletion, accounts_of(origin))
    return deletion


def _lock_once(deletion: Deletion, room_id: Any) -> None:
    """Lock a room, as operations do, before the deletion deletes anything in it."""
    if room_id not in deletion.locked:
        deletion.locked.add(room_id)
        streams.lock(room_id)


def follow_deletion(
    sender: type[Membership], instance: Membership, origin: Any = None, **kwargs: Any
) -> None:
    """Send `members_changed` for memberships that plain code deletes, or an account's deletion."""
    if instance.in_bulk:
        return
    deletion = deletion_of(origin, kwargs["using"])
    ended = defaultdict(list)
    for membership in [instance] if origin is None else deletion.take_memberships():
        ended[membership.room_id].append(membership)
    for room_id in sorted(ended.keys() - deletion.rooms, key=str):
        room = find_room(room_id)
        if room is not None:
            accounts = dict.fromkeys(deletion.users, DELETE)
            members_changed.send(
                sender=Membership, room=room, removed=ended[room_id], accounts=accounts
            )


def find_room(room_id: Any) -> Any:
    """Return a room, locked for the running transaction; None if there is no such room."""
    streams.lock(room_id)
    model = get_model("Room")
    return model.objects.using(router.db_for_write(model)).filter(pk=room_id).first()


@receiver(members_changed, dispatch_uid="gql_chat.members_changed")
def settle_members(
    sender: type[Membership],
    room: AbstractRoom,
    added: list[Membership] | None = None,
    removed: list[Membership] | None = None,
    roles: list[Membership] | None = None,
    accounts: Mapping[Any, str] | None = None,
    **kwargs: Any,
) -> None:
    """Let object permissions follow the members of a room, and delete the room if it is over."""
    leaders = [m.user_id for m in [*(added or []), *(roles or [])] if _leads(room, m)]
    former = [m.user_id for m in roles or [] if not _leads(room, m)]
    gone = [m.user_id for m in removed or []]
    if leaders:
        grant(room, leaders, room.rules.permissions)
    if former or gone:
        revoke(room, [*former, *gone])
    if added:
        streams.touch(room.pk, [m.user_id for m in added])
    if removed:
        notifications = get_model("ChatNotification").objects
        notifications.filter(room_id=room.pk, recipient_id__in=gone).delete()
        with streams.transaction() as outbox:
            outbox.touch(streams.room_stream(room.pk), map(str, gone))
            keep_property(room)
            is_over = _end_if_over(room)
            # The schema cannot show a room whose type is not declared any more.
            if room.rules.name and not outbox.is_told(room.pk, gone):
                tell_of_removal(outbox, room, removed, is_over=is_over, accounts=accounts or {})


def _leads(room: AbstractRoom, membership: Membership) -> bool:
    return bool(room.rules.leaders) and membership.role == room.rules.leader_role


def _end_if_over(room: AbstractRoom) -> bool:
    """Delete a room without members, or a chat that lost one of its two; return whether it did."""
    if room.rules.paired or not Membership.objects.primary(room_id=room.pk).exists():
        copy(room).delete()  # a copy: `delete` clears the key, and the events still show the room
        return True
    get_model("ChatNotification").objects.delete_finished(room_id=room.pk)
    return False


def note_account(sender: type[Any], instance: Any, origin: Any = None, **kwargs: Any) -> None:
    """Lock all of an account that is about to be deleted, and note what else it leaves."""
    deletion = _begin(origin, kwargs["using"])
    hold_accounts(deletion, [instance.pk])
    deletion.users.add(instance.pk)
    rooms = set(Membership.objects.primary(user_id=instance.pk).values_list("room_id", flat=True))
    model = get_model("Room")
    created = model.objects.using(router.db_for_write(model)).filter(creator_id=instance.pk)
    deletion.left_by[instance.pk] = set(created.values_list("pk", flat=True)) - rooms
    if not deletion.names:
        forget = partial(forget_accounts, deletion)
        transaction.on_commit(forget, using=router.db_for_write(StreamEvent), robust=True)
    deletion.names[instance.pk] = instance.get_username()
    deletion.told |= find_told(instance.pk)


def finish_account(
    sender: type[Any], instance: Any, using: str, origin: Any = None, **kwargs: Any
) -> None:
    """Delete the rows of an account that appeared after Django had collected the rows to delete.

    All was locked only after the collecting, so its sockets could write until then. Its own stream
    goes, too, and rooms that the user created and has left get a new creator.
    """
    deletion = deletion_of(origin, using)
    delete_late(sender, instance.pk, using, deletion)
    own = streams.select_log().filter(stream=streams.user_stream(instance.pk))
    streams.delete_frames(own)
    with streams.transaction() as outbox:
        for room_id in sorted(deletion.left_by.pop(instance.pk, ()), key=str):
            room = find_room(room_id)
            if room is not None and room.rules.name and appoint(room, orphaned=True):
                load_rooms([room])
                outbox.broadcast(room, RoomUpdated(room))


def note_message(
    sender: type[AbstractMessage], instance: AbstractMessage, origin: Any = None, **kwargs: Any
) -> None:
    """Note a message that is about to be deleted, so that its deletion is announced once."""
    deletion = _begin(origin, kwargs["using"])
    if not deletion.is_told:
        deletion.messages[instance.pk] = instance.room_id
        _lock_once(deletion, instance.room_id)
        if not isinstance(origin, AbstractRoom):  # whose log goes as a whole
            deletion.erasures.append(streams.plan_erasure([instance.pk]))


def tell_of_messages(
    sender: type[AbstractMessage], instance: AbstractMessage, origin: Any = None, **kwargs: Any
) -> None:
    """Tell members of messages that plain code deleted, or the deletion of their senders."""
    deletion = deletion_of(origin, kwargs["using"])
    if deletion.is_told:
        return
    taken = {instance.pk: instance.room_id} if origin is None else deletion.take_messages()
    by_room = defaultdict(list)
    for message_id, room_id in taken.items():
        by_room[room_id].append(message_id)
    with streams.transaction() as outbox:
        streams.merge_erasures(deletion.take_erasures()).write()
        for room_id in sorted(by_room.keys() - deletion.rooms, key=str):
            room = None if outbox.is_closed(room_id) else find_room(room_id)
            if room is not None:
                tell_of_deletion(outbox, room, by_room[room_id])


@receiver(user_logged_out, dispatch_uid="gql_chat.logged_out")
def follow_sign_out(sender: type[Any], request: Any, user: Any, **kwargs: Any) -> None:
    """Close the sockets of a login session that ends."""
    session_key = getattr(getattr(request, "session", None), "session_key", None)
    if user is not None and session_key is not None:
        announce_sign_out(user.pk, session_key)


def lock_delivery(sender: type[Delivery], instance: Delivery, **kwargs: Any) -> None:
    """Lock the room of a delivered message: of two last recipients at once, one must come last."""
    if not kwargs["raw"]:
        streams.lock(instance.message.room_id)


def follow_delivery(sender: type[Delivery], instance: Delivery, **kwargs: Any) -> None:
    """Delete the message's notification when no recipient is left who has not got it."""
    if not kwargs["raw"]:
        get_model("ChatNotification").objects.delete_finished_of([instance.message_id])
