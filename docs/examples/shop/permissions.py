# shop/permissions.py
from gql_chat import permissions


class PermissionHandler(permissions.PermissionHandler):
    """Lets staff post anywhere, and leaders of a room delete what others wrote."""

    def can_send(self, membership):
        return membership.user.is_staff or super().can_send(membership)

    def can_send_as_outsider(self, user, room):
        return user.is_staff

    def can_change_message(self, membership, message):
        leads = membership.room.rules.leads(membership)
        return leads or super().can_change_message(membership, message)
