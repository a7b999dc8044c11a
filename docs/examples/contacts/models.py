# contacts/models.py
from django.conf import settings
from django.db import models


class Contact(models.Model):
    """That `owner` lets `user` write first, and add `owner` to rooms."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contacts"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contact_of"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "user"], name="contacts_contact_once")
        ]

    def __str__(self):
        return f"{self.owner_id} lets {self.user_id} write"
