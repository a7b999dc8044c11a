"""The events as the model plays them, a module for each noun."""

from tests.model.events import looking, members, messages, receipts, rooms, sessions

__all__ = ["looking", "members", "messages", "receipts", "rooms", "sessions"]
