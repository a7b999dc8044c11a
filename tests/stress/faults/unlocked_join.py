"""A membership that is saved by itself is checked without the lock of its room."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models.signals import pre_save

from gql_chat import signals
from gql_chat.models import Membership
from gql_chat.models.rules import Role

#: Between looking and writing; a busy server takes as long.
PAUSE = 0.1


def bring_back() -> None:
    """Check the rules as they are, and write a while later."""

    def guard(sender: type[Membership], instance: Membership, **kwargs: Any) -> None:
        if not instance._state.adding:
            guarded(sender, instance, **kwargs)
        elif not instance.in_bulk:
            with _unlocked(instance.room) as room:
                room.rules.check_room_for(room, sender.objects.filter(room=room).count() + 1)
                instance.joined_seq = room.seq + 1
                if instance.role == Role.MEMBER:
                    instance.role = room.rules.role_of(room, instance.user_id)

    guarded = signals.guard_membership
    pre_save.disconnect(sender=Membership, dispatch_uid="gql_chat.guard_membership")
    pre_save.connect(guard, sender=Membership, weak=False, dispatch_uid="fault")


@contextmanager
def _unlocked(room: Any) -> Iterator[Any]:
    yield room
    time.sleep(PAUSE)
