# shop/push.py, imported in the ready() of shop/apps.py
from django.dispatch import receiver

from gql_chat.signals import notification_created

from .firebase import Push, firebase


@receiver(notification_created)
def push_to_absent(sender, notification, recipients, connected, event, **kwargs):
    """Queue a push message for each recipient who has no socket open."""
    title = {"NEW_MESSAGE": "New message", "REPLY": "New reply", "REACTION": "New reaction"}
    for user in recipients.exclude(pk__in=connected):
        firebase.queue(
            Push(
                topic=f"user-{user.pk}",
                title=title[notification.notification_type],
                body=event.message.content[:100],
            )
        )
