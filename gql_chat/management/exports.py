"""The base of the commands that write a contract to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser


class ExportCommand(BaseCommand):
    """Writes a document to standard output or a file, or checks that a file is up to date.

    Attributes:
        formats: the names of the formats, the default first.
    """

    formats: ClassVar[tuple[str, ...]]

    def write(self, format: str) -> str:
        """Return the document's text in a format."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options: the format, and the file to write or to check."""
        parser.add_argument(
            "--format",
            choices=self.formats,
            default=self.formats[0],
            help=f"default: {self.formats[0]}",
        )
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--output", metavar="FILE", help="write to this file")
        target.add_argument(
            "--check", metavar="FILE", help="fail unless this file is up to date; write nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the document, or check the file.

        Raises:
            CommandError: the file cannot be written, is missing or is out of date.
        """
        text = self.write(options["format"])
        if options["check"]:
            self._check(Path(options["check"]), text, options["format"])
        elif options["output"]:
            try:
                Path(options["output"]).write_text(text, encoding="utf-8", newline="\n")
            except OSError as error:
                raise CommandError(f"{options['output']} cannot be written: {error}") from None
        else:
            self.stdout.write(text, ending="")

    def _check(self, file: Path, text: str, format: str) -> None:
        name = type(self).__module__.rpartition(".")[2]
        remedy = f"Run: manage.py {name} --format {format} --output {file}"
        try:
            present = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}. {remedy}") from None
        if present != text:
            raise CommandError(f"{file} is out of date. {remedy}")
        self.stdout.write(f"{file} is up to date.")


def as_text(document: Any) -> str:
    """Return a document as JSON text, indented."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
