"""Descriptions in the schema, out of the docstrings of its types and resolvers."""

from __future__ import annotations

import inspect
from typing import Any

from graphql import GraphQLSchema, is_introspection_type

TEXT = "Plain text, as it was written: a page shows it by `textContent`, never as HTML."
TEXTS = "Plain texts, as they were written: a page shows them by `textContent`, never as HTML."
HTML = "HTML, cleaned: a page shows it by `innerHTML`."
JSON = "JSON, as a client wrote it: a page shows its texts by `textContent`, never as HTML."
URL = "A link, `http` or `https`, as a client wrote it."


def describe(schema: GraphQLSchema) -> None:
    """Give every type and field without a description the first paragraph of its docstring."""
    for found in schema.type_map.values():
        if is_introspection_type(found):
            continue
        definition: Any = found.extensions.get("strawberry-definition")
        if not found.description:
            found.description = _of_class(getattr(definition, "origin", None))
        for field in getattr(found, "fields", {}).values():
            resolver = getattr(field.extensions.get("strawberry-definition"), "base_resolver", None)
            if not field.description and resolver is not None:
                field.description = _first_paragraph(resolver.wrapped_func.__doc__)


def _of_class(found: Any) -> str | None:
    """Return what a class says of itself, or else what its nearest base does."""
    for kind in found.__mro__[:-1] if inspect.isclass(found) else ():
        text = vars(kind).get("__doc__")
        # A dataclass without a docstring gets its signature for one.
        if text and not text.startswith(f"{kind.__name__}("):
            return _first_paragraph(text)
    return None


def _first_paragraph(text: str | None) -> str | None:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split()) if text else None
