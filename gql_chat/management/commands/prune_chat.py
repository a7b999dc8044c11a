"""`manage.py prune_chat`: deletes what has served its time, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from gql_chat.conf import chat_settings
from gql_chat.models import StreamEvent, get_model
from gql_chat.sessions import delete_dead


class Command(BaseCommand):
    """Prunes the event log, sessions whose sockets are gone, and finished notifications."""

    help = "Delete old events of the log, dead sessions and finished notifications, in batches."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the size of a batch."""
        parser.add_argument(
            "--batch", type=int, default=5000, help="rows deleted at once (default: 5000)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete, telling the progress."""
        batch: int = options["batch"]
        retention = chat_settings.EVENT_LOG_RETENTION
        if retention is None:
            self.stdout.write("event log: kept for ever (EVENT_LOG_RETENTION is None)")
        else:
            since = timezone.now() - timedelta(seconds=retention)
            self._report("event log", _in_batches(StreamEvent.objects, batch, since))
        self.stdout.write(f"sessions: {delete_dead()} deleted")
        before = get_model("ChatNotification").objects.count()
        get_model("ChatNotification").objects.delete_finished()
        after = get_model("ChatNotification").objects.count()
        self.stdout.write(f"notifications: {max(0, before - after)} deleted")

    def _report(self, what: str, counts: Iterator[int]) -> None:
        total = 0
        for count in counts:
            total += count
            self.stdout.write(f"{what}: {total} deleted so far")
        self.stdout.write(f"{what}: {total} deleted")


def _in_batches(events: Any, batch: int, since: Any) -> Iterator[int]:
    """Delete events older than `since`, yielding how many each batch had."""
    while True:
        old: QuerySet[Any] = events.filter(created_at__lt=since).order_by("created_at")
        ids = list(old.values_list("pk", flat=True)[:batch])
        if not ids:
            return
        yield events.filter(pk__in=ids).delete()[0]
