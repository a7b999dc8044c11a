# shop/types.py
from typing import Optional

import strawberry

from gql_chat.schema import derived, types
from gql_chat.schema.scalars import Timestamp, UserID


@strawberry.type
class User:
    """A user with a picture, and without an address."""

    id: UserID = derived(lambda user: user.pk)
    username: str = derived(lambda user: user.get_username())
    avatar: str = derived(lambda user: f"https://shop.example/{user.pk}.png")

    reads = ()  # no column besides the key and the username


@strawberry.type
class Message(types.Message):
    """A message with a priority, which its sender chooses and may change."""

    priority: str
    expires_at: Optional[Timestamp]

    writable_on_create = ("priority", "expires_at")
    writable_on_edit = ("priority",)


@strawberry.type
class Attachment(types.Attachment):
    """An attachment with its size in pixels, as its sender says."""

    width: Optional[int]
    height: Optional[int]

    writable_on_create = ("width", "height")
