"""Conversion: how what clients send becomes instances of inputs, worked out once.

Strawberry looks up, for every value anew, what each field of an input is called and what type it
has. It lets a type convert its values itself (`from_input`), by what is known. A type has one such
function for all schemas that it is in. So only the inputs of one package get one, and in schemas
with another configuration names and scalars are looked up as Strawberry does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    get_nullable_type,
    is_leaf_type,
)
from strawberry.relay import GlobalID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
)

from .counts import Counts


class SchemaConfig(StrawberryConfig):
    """The configuration of the schemas whose inputs convert themselves."""


def convert_inputs(schema: GraphQLSchema, package: str) -> None:
    """Let a package's inputs in a schema of its own convert their values themselves.

    Args:
        schema: a schema whose configuration is a `SchemaConfig`.
        package: the package's name. Inputs of others stay as they are.
    """
    for kind in schema.type_map.values():
        definition = kind.extensions.get("strawberry-definition")
        if (
            isinstance(kind, GraphQLInputObjectType)
            and definition is not None
            and definition.origin.__module__.startswith(f"{package}.")
        ):
            definition.from_input = Conversion(kind, definition)


class Conversion:
    """Makes instances of one input.

    Args:
        kind: the input in a schema with a `SchemaConfig`.
        definition: what Strawberry knows of it.
    """

    def __init__(
        self, kind: GraphQLInputObjectType, definition: StrawberryObjectDefinition
    ) -> None:
        self._defaults = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }
        self._definition = definition
        self._counts = Counts(kind)
        self._fields: list[tuple[str, str, Any]] = []
        """The name in the schema, the name in Python, and the type of what needs converting."""
        by_python_name = {field.python_name: field for field in definition.fields}
        for name, found in kind.fields.items():
            field = found.extensions["strawberry-definition"]
            expected = by_python_name[field.python_name].resolve_type(type_definition=definition)
            leaf = _is_leaf(found.type, expected)
            self._fields.append((name, field.python_name, None if leaf else expected))

    def __call__(self, origin: type, value: Mapping[str, Any], context: InputContext) -> Any:
        """Return an instance of the input.

        Args:
            origin: its class.
            value: the values by their names in the schema, as graphql-core coerced them.
            context: converts what stands inside.
        """
        self._counts.check(value)
        is_known = isinstance(context.config, SchemaConfig)
        given: dict[str, Any] = self._defaults.copy()
        for name, python_name, expected in self._fields if is_known else self._look_up(context):
            if name in value:
                item = value[name]
                given[python_name] = (
                    item if expected is None else context.convert(item, expected, name)
                )
        return origin(**given)

    def _look_up(self, context: InputContext) -> list[tuple[str, str, Any]]:
        """Return the fields as another schema has them, whose names and scalars are its own."""
        definition, find_name = self._definition, context.config.name_converter.from_field
        return [
            (find_name(field), field.python_name, field.resolve_type(type_definition=definition))
            for field in definition.fields
        ]


def _is_leaf(kind: GraphQLInputType, expected: Any) -> bool:
    """Tell whether values of a type are passed on as graphql-core coerced them."""
    if isinstance(expected, StrawberryMaybe):
        return False
    plain = expected.of_type if isinstance(expected, StrawberryOptional) else expected
    return is_leaf_type(get_nullable_type(kind)) and plain is not GlobalID
