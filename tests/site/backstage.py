"""Project code of the stress test: what views, tasks and an admin do beside the sockets.

Each function runs in a thread of a chat process, or of a process without sockets, and takes and
returns what JSON can hold. What a rule of chat refuses is an answer, not an error.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, OperationalError, transaction

from gql_chat import api, sessions
from gql_chat.errors import ChatError
from gql_chat.models import Membership, UserStream, get_model

Answer = dict[str, Any]


def perform(act: str, **given: Any) -> Answer:
    """Run one of the functions below; says what it did, or why it did not."""
    try:
        found = ACTS[act](**given)
    except ChatError as refusal:
        return {"refused": refusal.code, "detail": refusal.sentence}
    except (OperationalError, IntegrityError) as error:
        return {"failed": f"{type(error).__name__}: {error}"}
    return {"done": found}


def _position(room_id: str) -> int | None:
    return get_model("Room").objects.filter(pk=room_id).values_list("seq", flat=True).first()


def save_stale_room(room: str, pause: float) -> Answer:
    """Save a room as it was a while ago, as a form does that somebody looked at."""
    found = get_model("Room").objects.filter(pk=room).first()
    if found is None:
        return {"gone": True}
    time.sleep(pause)
    return {"saved": _save(found)}


def save_stale_membership(room: str, user: int, pause: float) -> Answer:
    """Save a membership as it was a while ago."""
    found = Membership.objects.filter(room_id=room, user_id=user).first()
    if found is None:
        return {"gone": True}
    time.sleep(pause)
    return {"saved": _save(found)}


def save_stale_user_stream(user: int, pause: float) -> Answer:
    """Save the place of a user's stream as it was a while ago."""
    found = UserStream.objects.filter(pk=user).first()
    if found is None:
        return {"gone": True}
    time.sleep(pause)
    return {"saved": _save(found)}


def _save(instance: Any) -> bool:
    """Save an instance unless its row is gone: `save()` alone would make it again."""
    try:
        with transaction.atomic():
            instance.save(force_update=True)
    except (OperationalError, IntegrityError):
        raise
    except DatabaseError:  # "Forced update did not affect any rows."
        return False
    return True


def join(room: str, user: int) -> Answer:
    """Make a user a member by a plain save."""
    found = get_model("Room").objects.filter(pk=room).first()
    if found is None:
        return {"gone": True}
    if Membership.objects.filter(room_id=room, user_id=user).exists():
        return {"member": True}
    membership = Membership(room=found, user_id=user)
    try:
        with transaction.atomic():
            membership.save()
    except IntegrityError as error:
        # Somebody else brought them in, or the room went, just now.
        return {"raced": str(error)}
    stored = Membership.objects.filter(pk=membership.pk).values_list("joined_seq", flat=True)
    return {"joined": stored.first()}


def remove(room: str, user: int) -> Answer:
    """End a membership by a plain delete."""
    found = Membership.objects.filter(room_id=room, user_id=user).first()
    before = _position(room)
    if found is None:
        return {"gone": True}
    found.delete()
    return {"before": before, "after": _position(room)}


def delete_messages(messages: list[str], at_once: bool) -> Answer:
    """Delete messages by plain deletes, one by one or as a queryset."""
    found = get_model("Message").objects.filter(pk__in=messages)
    if at_once:
        found.delete()
    else:
        for message in found:
            message.delete()
    return {}


def hold_room(room: str, seconds: float) -> Answer:
    """Hold the lock of a room's row, as a slow view does."""
    with transaction.atomic():
        found = get_model("Room").objects.select_for_update().filter(pk=room).first()
        if found is not None:
            time.sleep(seconds)
    return {"held": found is not None}


def send(room: str, user: int, content: str, client_id: str) -> Answer:
    """Send a message on behalf of a user."""
    message = api.send_message(room, content, sender=user, client_id=client_id)
    return {"message": str(message.pk)}


def clean_up() -> Answer:
    """Clean up what is over, as a nightly task does."""
    sessions.delete_dead()
    for command in ("clearsessions", "prune_chat"):
        call_command(command, stdout=io.StringIO())
    return {}


ACTS: dict[str, Callable[..., Answer]] = {
    each.__name__: each
    for each in (
        save_stale_room,
        save_stale_membership,
        save_stale_user_stream,
        join,
        remove,
        delete_messages,
        hold_room,
        send,
        clean_up,
    )
}
