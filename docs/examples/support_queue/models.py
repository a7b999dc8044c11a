"""The room type, and a ticket for each queue."""

from typing import Any, ClassVar

from django.db import models

from gql_chat.errors import Invalid
from gql_chat.models import AbstractRoom, Members, Membership, Room
from gql_chat.models.rules import HoldsPermission, Role, RoomRules, register


class QueueRules(RoomRules):
    """Anybody joins a public queue; while it is locked only agents, who lead it, write."""

    name = "SupportQueue"
    members = "participants"
    leaders = "admins"
    leader_role = Role.ADMIN
    cap = "max_participants"
    cap_exceeded = "The queue is full"
    permissions = ("can_add_new_participants",)
    add_permission = "can_add_new_participants"
    creatable = ("max_participants", "group_locked", "is_public")
    updatable = ("name", "description", "group_locked", "is_public", "property")

    def may_send(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Let members write, and only agents while the queue is locked."""
        return not membership.room.group_locked or self.leads(membership)

    def check_join(self, room: AbstractRoom) -> None:
        """Let anybody into a public queue."""
        if not room.is_public:
            raise Invalid("This queue is for invited customers only.")


@register
class SupportQueue(Room):
    """A queue. A proxy of the room table, like groups and channels."""

    rules: ClassVar[RoomRules] = QueueRules()
    defaults: ClassVar[dict[str, Any]] = {
        "max_participants": 50,
        "group_locked": False,
        "is_public": True,
    }
    participants = Members()
    admins = Members(Role.ADMIN, Role.ADMIN)

    class Meta:
        proxy = True


class Ticket(models.Model):
    """What a queue is about."""

    queue = models.OneToOneField(SupportQueue, on_delete=models.CASCADE, related_name="ticket")
    is_solved = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"ticket of {self.queue}"
