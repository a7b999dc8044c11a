"""Saving a room writes back the position that it had when it was read."""

from typing import Any
from unittest.mock import patch

from django.db.models.signals import post_save

from gql_chat.models import AbstractRoom
from gql_chat.streams import outbox


def bring_back() -> None:
    """Write the position with every save, and count up from the column alone."""

    def write_back(sender: Any, instance: Any, created: bool, **_: Any) -> None:
        if isinstance(instance, AbstractRoom) and not created:
            sender._base_manager.filter(pk=instance.pk).update(seq=instance.seq)

    def count_up(vendor: str, table: str, *columns: str) -> str:
        # The log is asked for its end all the same, since its name is among the parameters.
        changes = ["seq = seq + 1 + 0 * length(%s)", *(f"{name} = %s" for name in columns[1:])]
        return f'UPDATE "{table}" SET {", ".join(changes)} WHERE id = %s RETURNING seq'

    post_save.connect(write_back, weak=False, dispatch_uid="fault")
    patch.object(outbox, "count_up_room", count_up).start()
