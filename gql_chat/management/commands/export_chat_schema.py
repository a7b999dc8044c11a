"""`manage.py export_chat_schema`: the GraphQL schema, for tools that generate types."""

from __future__ import annotations

from graphql import introspection_from_schema, lexicographic_sort_schema

from gql_chat.management.exports import ExportCommand, as_text
from gql_chat.schema import get_schema


class Command(ExportCommand):
    """Exports the schema of the project, with the project's own types."""

    help = "Write the GraphQL schema as SDL, or as the result of an introspection query."
    formats = ("sdl", "json")

    def write(self, format: str) -> str:
        """Return the schema's text; its types are sorted by name."""
        if format == "sdl":
            return get_schema().as_str() + "\n"
        # In SDL the fields keep the order of their declaration, which reads better. In JSON, for
        # machines, all is sorted.
        introspection = introspection_from_schema(lexicographic_sort_schema(get_schema()._schema))
        return as_text(introspection)
