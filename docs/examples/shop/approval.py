# shop/approval.py
from uuid import UUID

import strawberry

from gql_chat import errors, operations, streams
from gql_chat.events import Event
from gql_chat.schema import Info
from gql_chat.schema.scalars import UserID
from gql_chat.schema.types import UserRef

from .models import JoinRequest


@strawberry.type
class JoinRequested(Event):
    """Somebody asks the admins of a group to be let in."""

    dispatch = "joinrequest.dispatch"

    room_id: UUID
    user: UserRef


@strawberry.input
class ApproveJoinInput:
    """Whom to let into which group."""

    room_id: UUID
    user_id: UserID


@strawberry.type
class ApprovalMutations:
    """What the schema can do besides."""

    @strawberry.mutation
    def approve_join(self, info: Info, input: ApproveJoinInput) -> bool:
        """Let somebody in who has asked."""
        info.context.handler.approve_join(input.room_id, input.user_id)
        return True


class EventHandler(operations.EventHandler):
    """Lets people ask to join groups, and admins approve."""

    events = (JoinRequested,)
    mutations = (ApprovalMutations,)

    def join_room(self, room_id):
        with streams.transaction():
            room = self.find_room(room_id, lock=True)
            if not room.join_approval_required:
                return super().join_room(room_id)
            if room.get_member(self.user) is not None:
                raise errors.Invalid("You are in this room already.")
            _, is_new = JoinRequest.objects.get_or_create(room_id=room.pk, user=self.user)
            if is_new:
                admins = [admin.pk for admin in room.admins]
                self.send_to_users(admins, JoinRequested(room_id=room.pk, user=self.user))
        return room

    def approve_join(self, room_id, user_id):
        with streams.transaction():
            (user_id,) = self.find_users("user_id", [user_id])
            membership = self.enter(room_id, lock=True)
            if not self.permissions.can_add_members(membership):
                raise errors.PermissionDenied("You may not add members to this room.")
            deleted, _ = JoinRequest.objects.filter(room_id=room_id, user_id=user_id).delete()
            if not deleted:
                raise errors.NotFound("This user has not asked to join.")
            self.add_members(room_id, [user_id])
