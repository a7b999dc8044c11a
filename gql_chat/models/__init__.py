"""The models: abstract bases for projects, and the concrete ones that serve by default."""

from ..conf import is_swapped as _is_swapped
from ..sql import bulk
from .allowances import Allowance
from .epochs import Epoch
from .memberships import Membership, members_changed
from .mentions import Mention
from .messages import (
    MEDIA_TYPES,
    MIME_TYPES,
    AbstractMessage,
    AbstractMessageMediaAsset,
    ClientMessage,
    Delivery,
    Message,
    MessageCopy,
    MessageMediaAsset,
)
from .notifications import (
    AbstractChatNotification,
    ChatNotification,
    NotificationManager,
    NotificationType,
)
from .pins import Pin
from .preferences import RoomPreferences, UserPreferences
from .presence import IdleSocket, Presence, SocketHolder
from .read_markers import ReadMarker
from .receipts import (
    AbstractReaction,
    AbstractReadReceipt,
    Reaction,
    ReadReceipt,
)
from .registry import get_model
from .rooms import (
    AbstractRoom,
    AbstractRoomProperty,
    ChannelMixin,
    GroupChatMixin,
    Members,
    OneToOneChatMixin,
    PairManager,
    Room,
    RoomManager,
    RoomProperty,
)
from .saves import SavedMessage
from .sessions import AbstractSession, Session
from .streams import EventSubject, StreamEvent, UserStream

if not _is_swapped("Room"):
    from .rooms import Channel, GroupChat, OneToOneChat

__all__ = [
    "MEDIA_TYPES",
    "MIME_TYPES",
    "AbstractChatNotification",
    "AbstractMessage",
    "AbstractMessageMediaAsset",
    "AbstractReaction",
    "AbstractReadReceipt",
    "AbstractRoom",
    "AbstractRoomProperty",
    "AbstractSession",
    "Allowance",
    "Channel",
    "ChannelMixin",
    "ChatNotification",
    "ClientMessage",
    "Delivery",
    "Epoch",
    "EventSubject",
    "GroupChat",
    "GroupChatMixin",
    "IdleSocket",
    "Members",
    "Membership",
    "Mention",
    "Message",
    "MessageCopy",
    "MessageMediaAsset",
    "NotificationManager",
    "NotificationType",
    "OneToOneChat",
    "OneToOneChatMixin",
    "PairManager",
    "Pin",
    "Presence",
    "Reaction",
    "ReadMarker",
    "ReadReceipt",
    "Room",
    "RoomManager",
    "RoomPreferences",
    "RoomProperty",
    "SavedMessage",
    "Session",
    "SocketHolder",
    "StreamEvent",
    "UserPreferences",
    "UserStream",
    "bulk",
    "get_model",
    "members_changed",
]
