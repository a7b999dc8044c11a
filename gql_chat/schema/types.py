"""The objects of the schema, plain Strawberry types over model instances.

A field without a resolver reads the attribute of the model. To change what an object shows,
a project subclasses its type here and names the subclass in `SERIALIZERS`.
"""

from .mentions import MentionedUser, Mentions
from .messages import (
    Attachment,
    Message,
    MessageList,
    MessagePage,
    QuotedMessage,
    RoomReference,
)
from .notification_pages import NotificationList, NotificationPage
from .notifications import Notification, RoomNotifications
from .preferences import RoomPreferences, UserPreferences
from .reactions import Reaction
from .receipts import ReadReceipt
from .references import (
    AttachmentRef,
    MessageRef,
    QuotedMessageRef,
    ReactionRef,
    ReadReceiptRef,
    RoomPropertyRef,
    UserRef,
)
from .rooms import (
    Channel,
    ChannelSummary,
    GroupChat,
    GroupChatSummary,
    OneToOneChat,
    OneToOneChatSummary,
    Room,
    RoomProperty,
    RoomSummary,
    is_of,
    named,
)
from .sessions import Position
from .users import User, leaders, members, sender

__all__ = [
    "Attachment",
    "AttachmentRef",
    "Channel",
    "ChannelSummary",
    "GroupChat",
    "GroupChatSummary",
    "MentionedUser",
    "Mentions",
    "Message",
    "MessageList",
    "MessagePage",
    "MessageRef",
    "Notification",
    "NotificationList",
    "NotificationPage",
    "OneToOneChat",
    "OneToOneChatSummary",
    "Position",
    "QuotedMessage",
    "QuotedMessageRef",
    "Reaction",
    "ReactionRef",
    "ReadReceipt",
    "ReadReceiptRef",
    "Room",
    "RoomNotifications",
    "RoomPreferences",
    "RoomProperty",
    "RoomPropertyRef",
    "RoomReference",
    "RoomSummary",
    "User",
    "UserPreferences",
    "UserRef",
    "is_of",
    "leaders",
    "members",
    "named",
    "sender",
]
