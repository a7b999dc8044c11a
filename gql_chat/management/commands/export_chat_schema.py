"""`manage.py export_chat_schema`: the GraphQL schema, for tools that generate types."""

from __future__ import annotations

from graphql import introspection_from_schema, lexicographic_sort_schema

from gql_chat.management.exports import ExportCommand, as_text
from gql_chat.schema import get_graphql_schema, get_schema


class Command(ExportCommand):
    """Exports the schema of the project, its own types in it."""

    help = "Write the GraphQL schema as SDL, or as the result of an introspection query."
    formats = ("sdl", "json")

    def write(self, format: str) -> str:
        """Return the schema's text; its types are sorted by name."""
        if format == "sdl":
            return get_schema().as_str() + "\n"
        # The fields of SDL stay as they are declared, which reads better; what machines read
        # is sorted throughout.
        introspection = introspection_from_schema(lexicographic_sort_schema(get_graphql_schema()))
        return as_text(introspection)
