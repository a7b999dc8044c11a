"""Locks: the row of a room, which everybody locks who writes in it.

An operation keeps the locks of its rooms until it commits (`Keeper`), and locks none twice. Plain
code, which saves a membership or deletes a room, keeps one for as long as that takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connections, router, transaction

from ..sql import gates
from .registry import get_model
from .streams import StreamEvent, UserStream

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from .rooms import AbstractRoom


class Keeper(Protocol):
    """An operation that runs: what it locks stays locked until it commits."""

    @property
    def is_running(self) -> bool:
        """Whether it is that of this thread's transaction."""

    def position(self, room_id: Any) -> int | None:
        """Return the sequence number of a room that is locked; None for others."""

    def hold(self, room_id: Any, position: int) -> None:
        """Note that a room is locked, and its sequence number."""


_keeper: ContextVar[Keeper | None] = ContextVar("gql_chat_keeper", default=None)


def keep(keeper: Keeper) -> Token[Keeper | None]:
    """Let an operation keep the locks from now on; pass the result to `keep_no_more`."""
    return _keeper.set(keeper)


def keep_no_more(token: Token[Keeper | None]) -> None:
    """Undo `keep`."""
    _keeper.reset(token)


def running() -> Keeper | None:
    """Return the operation that runs on this thread, if one does."""
    keeper = _keeper.get()
    return keeper if keeper is not None and keeper.is_running else None


@contextmanager
def writing(using: str) -> Iterator[None]:
    """Run plain code in a transaction that reads, then writes; see `take_write_lock`.

    Args:
        using: the alias of the database.
    """
    connection = connections[using]
    begins = not connection.in_atomic_block
    with transaction.atomic(using=using):
        if begins:
            take_write_lock(connection)
        yield


@contextmanager
def hold(room: AbstractRoom) -> Iterator[None]:
    """Lock a room's row, and read its sequence number into `room.seq`.

    Inside an operation the lock lasts as long as that, else as long as this.
    """
    keeper = running()
    position = None if keeper is None else keeper.position(room.pk)
    if position is not None:
        room.seq = position
        yield
        return
    with transaction.atomic(using=router.db_for_write(StreamEvent)):
        position = lock(room.pk)
        if position is not None:
            room.seq = position
        yield


def lock(room_id: Any) -> int | None:
    """Lock a room's row for the transaction that is running.

    Returns:
        The room's sequence number; None where there is no such room.
    """
    keeper = running()
    if keeper is not None and (held := keeper.position(room_id)) is not None:
        return held
    if keeper is not None:
        gates.enter([room_id])
    else:
        # Code without an operation: its transaction may begin here.
        take_write_lock(connections[router.db_for_write(StreamEvent)])
    model = get_model("Room")
    rooms = model.objects.using(router.db_for_write(model)).filter(pk=room_id).order_by()
    position: int | None = (
        rooms.select_for_update(no_key=True).values_list("seq", flat=True).first()
    )
    if keeper is not None and position is not None:
        keeper.hold(room_id, position)
    return position


def take_write_lock(connection: BaseDatabaseWrapper) -> None:
    """Let a transaction that reads first begin with a write where the database needs that.

    SQLite refuses at once to turn a reading transaction into a writing one while another writes; a
    transaction that begins with a write waits for its turn instead. With the project's
    `transaction_mode` at IMMEDIATE, every transaction begins so.
    """
    if connection.vendor == "sqlite" and getattr(connection, "transaction_mode", "") != "IMMEDIATE":
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {UserStream._meta.db_table} SET seq = seq WHERE 0")
