"""The GraphQL schema: every operation a query or mutation, every event a subscription's payload.

A resolver's annotation names the Strawberry type that shows its result; what it returns is a model
instance. Where mypy minds that, the line says so (`type: ignore`), throughout this package.
"""

from ..prepared.errors import Unplannable
from ..prepared.fields import derived
from ..prepared.selection import select_all
from .build import get_graphql_schema, get_schema
from .contents import find_markup
from .context import Context, Info
from .documents import Document
from .events import own_events

__all__ = [
    "Context",
    "Document",
    "Info",
    "Unplannable",
    "derived",
    "find_markup",
    "get_graphql_schema",
    "get_schema",
    "own_events",
    "select_all",
]
