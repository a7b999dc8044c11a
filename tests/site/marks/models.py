"""A mark on anything in chat."""

from django.conf import settings
from django.db import models


class Mark(models.Model):
    """A row of the project's that goes with the row that it refers to."""

    membership = models.ForeignKey("gql_chat.Membership", on_delete=models.CASCADE, null=True)
    delivery = models.ForeignKey("gql_chat.Delivery", on_delete=models.CASCADE, null=True)
    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL, on_delete=models.CASCADE, null=True
    )
    reaction = models.ForeignKey(
        settings.GQL_CHAT_REACTION_MODEL, on_delete=models.CASCADE, null=True
    )
    receipt = models.ForeignKey(
        settings.GQL_CHAT_READRECEIPT_MODEL, on_delete=models.CASCADE, null=True
    )
    notification = models.ForeignKey(
        settings.GQL_CHAT_CHATNOTIFICATION_MODEL, on_delete=models.CASCADE, null=True
    )
    session = models.ForeignKey(
        settings.GQL_CHAT_SESSION_MODEL, on_delete=models.CASCADE, null=True
    )

    room = models.ForeignKey(settings.GQL_CHAT_ROOM_MODEL, on_delete=models.CASCADE, null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)

    def __str__(self) -> str:
        return f"mark {self.pk}"
