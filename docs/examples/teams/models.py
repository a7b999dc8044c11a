# teams/models.py
from django.db import models

from gql_chat.models import (
    AbstractRoom,
    ChannelMixin,
    GroupChatMixin,
    OneToOneChatMixin,
    PairManager,
)
from gql_chat.models.rules import ChannelRules


class Room(AbstractRoom):
    """A room with a colour."""

    colour = models.CharField(max_length=16, default="grey")


class OneToOneChat(OneToOneChatMixin, Room):
    objects = PairManager()

    class Meta:
        proxy = True


class GroupChat(GroupChatMixin, Room):
    class Meta:
        proxy = True


class TeamChannelRules(ChannelRules):
    creatable = (*ChannelRules.creatable, "colour")


class Channel(ChannelMixin, Room):
    rules = TeamChannelRules()

    class Meta:
        proxy = True
