"""`manage.py erase_user`: erases a user from chat, in batches."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gql_chat.accounts.erasure import BATCH, FATES, KEEP
from gql_chat.api import erase_user
from gql_chat.errors import ChatError
from gql_chat.management.accounts import add_account, find_account


class Command(BaseCommand):
    """Erases a user from chat, tells everybody concerned, and prints the progress."""

    help = (
        "Erase a user from chat: memberships, receipts, reactions, sessions, the name, and what "
        "is to become of the messages. Run it again if it was interrupted: it goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the user, the fate of the messages, and the size of a batch."""
        add_account(parser)
        parser.add_argument(
            "--messages",
            choices=FATES,
            default=KEEP,
            help="keep them without a name, blank them, or delete them (default: keep)",
        )
        parser.add_argument(
            "--batch", type=int, default=BATCH, help=f"rows at once (default: {BATCH})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Erase, and print the progress.

        Raises:
            CommandError: there is no such user, an option is wrong, or something was locked.
        """
        account = find_account(options)
        try:
            counts = erase_user(
                account, options["messages"], batch=options["batch"], progress=self._say
            )
        except ChatError as error:
            raise CommandError(error.sentence) from error
        for what, count in counts.items():
            self.stdout.write(f"{what}: {count} erased")
        self.stdout.write(f"user {account.pk}: erased from chat")

    def _say(self, what: str, done: int, whole: int | None) -> None:
        of = "" if whole is None else f" of {whole}"
        self.stdout.write(f"{what}: {done}{of} so far")
