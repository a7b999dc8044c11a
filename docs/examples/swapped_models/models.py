"""The models: subclasses of the abstract bases, with columns of the project's own."""

from typing import ClassVar

from django.db import models

from gql_chat.models import (
    AbstractMessage,
    AbstractReaction,
    AbstractSession,
    GroupChat,
    Membership,
)
from gql_chat.models.rules import GroupRules, HoldsPermission, RoomRules


class Message(AbstractMessage):
    """A message with a priority."""

    priority = models.CharField(max_length=16, default="normal")

    class Meta(AbstractMessage.Meta):
        # What the base has, and one more.
        indexes: ClassVar[list[models.Index]] = [
            *AbstractMessage.Meta.indexes,
            models.Index(fields=["priority"]),
        ]


class Reaction(AbstractReaction):
    """A reaction that somebody may have to look at."""

    is_reported = models.BooleanField(default=False)


class Session(AbstractSession):
    """A socket, and what it was opened with."""

    device = models.CharField(max_length=64, blank=True)


class TeamRules(GroupRules):
    """Groups in which every member may bring others in."""

    def may_add(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Let everybody."""
        return True


class TeamChat(GroupChat):
    """A group with these rules. A proxy: it has no table, and no migration."""

    rules: ClassVar[RoomRules] = TeamRules()

    class Meta:
        proxy = True
