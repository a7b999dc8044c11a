"""Locks: all code that writes in a room first locks the room's row.

An operation keeps the locks of its rooms until it commits (`Keeper`), and locks no row twice. Plain
code that saves a membership or deletes a room keeps the lock for as long as that takes.
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
    """A running operation: the rooms that it locks stay locked until it commits."""

    @property
    def is_running(self) -> bool:
        """Whether it belongs to the transaction that runs on this thread."""

    def seq_of(self, room_id: Any) -> int | None:
        """Return the newest sequence number of a locked room; None for other rooms."""

    def hold(self, room_id: Any, seq: int) -> None:
        """Note that a room is locked, and its newest sequence number."""


_keeper: ContextVar[Keeper | None] = ContextVar("gql_chat_keeper", default=None)


def set_keeper(keeper: Keeper) -> Token[Keeper | None]:
    """Let an operation keep the locks from now on; pass the result to `reset_keeper`."""
    return _keeper.set(keeper)


def reset_keeper(token: Token[Keeper | None]) -> None:
    """Undo `set_keeper`."""
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
    """Lock a room's row, and read its newest sequence number into `room.seq`.

    Inside an operation the lock lasts until that commits, else until the end of this block and of
    the transaction around it.
    """
    keeper = running()
    seq = None if keeper is None else keeper.seq_of(room.pk)
    if seq is not None:
        room.seq = seq
        yield
        return
    with transaction.atomic(using=router.db_for_write(StreamEvent)):
        seq = lock(room.pk)
        if seq is not None:
            room.seq = seq
        yield


def lock(room_id: Any) -> int | None:
    """Lock a room's row for the transaction that is running.

    Returns:
        The room's newest sequence number; None if there is no such room.
    """
    keeper = running()
    if keeper is not None and (held := keeper.seq_of(room_id)) is not None:
        return held
    if keeper is not None:
        gates.enter([room_id])
    else:
        # Plain code outside an operation: its transaction may begin here.
        take_write_lock(connections[router.db_for_write(StreamEvent)])
    model = get_model("Room")
    rooms = model.objects.using(router.db_for_write(model)).filter(pk=room_id).order_by()
    seq: int | None = rooms.select_for_update(no_key=True).values_list("seq", flat=True).first()
    if keeper is not None and seq is not None:
        keeper.hold(room_id, seq)
    return seq


def take_write_lock(connection: BaseDatabaseWrapper) -> None:
    """Begin a transaction that reads first with a write, on a database that needs this.

    SQLite refuses at once to turn a reading transaction into a writing one while another writes. A
    transaction that begins with a write waits for its turn instead. If the project sets
    `transaction_mode` to IMMEDIATE, every transaction begins with the write lock anyway.
    """
    if connection.vendor == "sqlite" and getattr(connection, "transaction_mode", "") != "IMMEDIATE":
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {UserStream._meta.db_table} SET seq = seq WHERE 0")
