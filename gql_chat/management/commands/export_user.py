"""`manage.py export_user`: writes all that the chat has of a user, as JSON lines."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gql_chat.api import export_user
from gql_chat.management.accounts import add_account, find_account


class Command(BaseCommand):
    """Writes a user's rooms, messages, receipts, reactions and so on, in little memory."""

    help = "Write all that the chat has of a user: an object in JSON on each line."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the user, and the file."""
        add_account(parser)
        parser.add_argument("--output", help="the file to write (default: standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the lines.

        Raises:
            CommandError: there is no such user.
        """
        lines = export_user(find_account(options))
        if options["output"] is None:
            for line in lines:
                self.stdout.write(line)
            return
        with open(options["output"], "w", encoding="utf-8") as file:
            file.writelines(lines)
