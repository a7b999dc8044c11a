"""`manage.py prune_chat`: deletes rows that nobody needs any more, in batches."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from gql_chat.conf import chat_settings
from gql_chat.models import EventSubject, StreamEvent, get_model
from gql_chat.nouns import has_feature
from gql_chat.presence import tidy
from gql_chat.rates import find_full
from gql_chat.sessions import find_dead

_LARGEST_BATCH = 30_000
"""SQLite takes 32,766 parameters in a statement, unless it was built to take more."""


class Command(BaseCommand):
    """Deletes old rows of the event log, dead sessions, and what has had its time."""

    help = "Delete old events of the log, dead sessions and finished notifications, in batches."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the option for the size of a batch."""
        parser.add_argument(
            "--batch", type=int, default=5000, help="rows deleted at once (default: 5000)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete, and print the progress.

        Raises:
            CommandError: the size of a batch is out of range.
        """
        batch: int = options["batch"]
        if not 1 <= batch <= _LARGEST_BATCH:
            raise CommandError(f"--batch is a whole number from 1 to {_LARGEST_BATCH}.")
        retention = chat_settings.EVENT_LOG_RETENTION
        if retention is None:
            self.stdout.write("event log: kept for ever (EVENT_LOG_RETENTION is None)")
        else:
            since = timezone.now() - timedelta(seconds=retention)
            self._prune_log(since, batch)
        if has_feature("presence"):
            tidy()  # what dead sessions say of when their users were there
        self._prune("sessions", find_dead(), batch)
        self._prune("notifications", get_model("ChatNotification").objects.finished(), batch)
        self._prune("allowances", find_full(), batch)

    def _prune_log(self, since: datetime, batch: int) -> None:
        """Delete frames that are older than a time, with their subjects."""
        using = router.db_for_write(StreamEvent)
        log = StreamEvent.objects.using(using)
        total = 0
        while True:
            with transaction.atomic(using=using):
                old = log.filter(created_at__lt=since).order_by("created_at")
                # Locked in the order of their keys, as by an operation that erases something.
                some = log.filter(pk__in=list(old.values_list("pk", flat=True)[:batch]))
                locked = some.order_by("pk").select_for_update(no_key=True)
                keys = list(locked.values_list("pk", flat=True))
                EventSubject.objects.using(using).filter(event__in=keys).delete()
                log.filter(pk__in=keys).delete()
            if not keys:
                break
            total += len(keys)
            self.stdout.write(f"event log: {total} deleted so far")
        self.stdout.write(f"event log: {total} deleted")

    def _prune(self, what: str, rows: QuerySet[Any], batch: int) -> None:
        """Delete rows, `batch` of them in each transaction."""
        total = 0
        while keys := list(rows.order_by().values_list("pk", flat=True)[:batch]):
            # Again by what they were found by: one may be in use since.
            rows.filter(pk__in=keys).delete()
            total += len(keys)
            self.stdout.write(f"{what}: {total} deleted so far")
        self.stdout.write(f"{what}: {total} deleted")
