"""What frames show of a message: all that the default shows, and its priority."""

import strawberry

from gql_chat.schema import types


@strawberry.type
class Message(types.Message):
    """A message with its priority."""

    priority: str
