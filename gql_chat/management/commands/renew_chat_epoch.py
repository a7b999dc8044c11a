"""`manage.py renew_chat_epoch`: tells clients that the database was set back."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from gql_chat.models import Epoch


class Command(BaseCommand):
    """Begins another history after a backup was restored."""

    help = (
        "Renew the epoch after a restore from a backup: clients that resume fetch afresh instead "
        "of going on from sequence numbers that the database has given to other events since."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Renew the epoch, and print the new value."""
        self.stdout.write(f"epoch: {Epoch.objects.renew()}")
