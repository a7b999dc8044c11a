"""Chat for Django: rooms, messages, receipts, reactions and notifications as a GraphQL API."""

__version__ = "1.0.0.dev0"
