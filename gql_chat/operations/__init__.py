"""Every chat operation: check, write, make the typed event; one transaction each."""

from .base import Operations
from .messages import MessageOperations, Sent
from .notifications import NotificationOperations
from .reactions import ReactionOperations
from .receipts import ReceiptOperations
from .rooms import Page, RoomOperations
from .sessions import SessionOperations


class EventHandler(
    MessageOperations,
    ReactionOperations,
    ReceiptOperations,
    RoomOperations,
    NotificationOperations,
    SessionOperations,
):
    """All operations on behalf of one user. A project subclasses it (`EVENT_HANDLER_CLASS`)."""


__all__ = ["EventHandler", "Operations", "Page", "Sent"]
