"""`manage.py export_chat_events`: the event protocol, for tools that generate types and pages."""

from __future__ import annotations

from django.core.management.base import CommandError

from event_bridge import spec
from gql_chat.management.exports import ExportCommand, as_text


class Command(ExportCommand):
    """Exports the protocol of the project, its own events and types in it."""

    help = "Write the event protocol as AsyncAPI 3, or as JSON Schema (draft 7)."
    formats = ("asyncapi", "json-schema")

    def write(self, format: str) -> str:
        """Return the protocol's text.

        Raises:
            CommandError: two things that differ have one name.
        """
        try:
            contract = spec.contract()
        except ValueError as error:
            raise CommandError(str(error)) from None
        for name in contract.undescribed:
            self.stderr.write(
                f"The private answer of {name} is not in the export: its operation's `answer` is "
                "no event_bridge.operations.Reply."
            )
        document = spec.asyncapi if format == "asyncapi" else spec.json_schema
        return as_text(document(contract))
