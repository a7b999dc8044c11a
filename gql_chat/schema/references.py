"""References: objects name each other by these, so that a project may put its own in place."""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from .messages import Attachment, Message, QuotedMessage
    from .reactions import Reaction
    from .receipts import ReadReceipt
    from .rooms import RoomProperty
    from .users import User

MODULE = "gql_chat.schema.serializers"
"""The module in which a type of the settings stands under its name."""


UserRef = Annotated["User", strawberry.lazy(MODULE)]

MessageRef = Annotated["Message", strawberry.lazy(MODULE)]

QuotedMessageRef = Annotated["QuotedMessage", strawberry.lazy(MODULE)]

AttachmentRef = Annotated["Attachment", strawberry.lazy(MODULE)]

ReadReceiptRef = Annotated["ReadReceipt", strawberry.lazy(MODULE)]

ReactionRef = Annotated["Reaction", strawberry.lazy(MODULE)]

RoomPropertyRef = Annotated["RoomProperty", strawberry.lazy(MODULE)]
