# contacts/permissions.py
from gql_chat import permissions


class PermissionHandler(permissions.PermissionHandler):
    """Lets people contact those who have them among their contacts."""

    def can_contact(self, user, others):
        return others.filter(contacts__user=user)
