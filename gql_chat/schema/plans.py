"""Plans: how the value of a prepared document's field becomes plain objects, worked out once.

graphql-core works out for every object anew which fields a selection names, what type each has
and how a value of it is written. For a document that is executed again and again all of that
is known beforehand; what is left of it is calling resolvers and writing leaves. A plan gives what
graphql-core's executor gives (the tests compare them), except that an error is raised as it is,
with no partial answer: an event has a whole answer or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    default_type_resolver,
    is_leaf_type,
)
from graphql.execution import get_argument_values
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from .fields import DerivedField

Info = GraphQLResolveInfo[Any]

Complete = Callable[[Any, "Scope"], Any]
"""Takes what a resolver returned and the scope; returns plain objects."""

Read = Callable[[Any, "Scope"], Any]
"""Takes an object and the scope; returns the value of one of its fields."""


@dataclass(slots=True, frozen=True)
class Scope:
    """What one execution has of its own.

    Attributes:
        root: the value that the operation starts from.
        context: what resolvers find in `info.context`.
        variables: the coerced variables, as graphql-core returns them.
    """

    root: Any
    context: Any
    variables: Any


class Planner:
    """Makes the plans of one operation.

    Args:
        schema: the schema.
        operation: an operation that is valid in it, without directives.
    """

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments: dict[str, FragmentDefinitionNode] = {}

    def plan(self) -> Complete:
        """Return what makes the operation's answer out of its root value."""
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None
        return self._object(root, [self._operation.selection_set])

    def _complete(self, kind: GraphQLOutputType, node: FieldNode, info: Info) -> Complete:
        """Return what completes a value of a type, null included."""
        if isinstance(kind, GraphQLNonNull):
            if is_leaf_type(kind.of_type):
                return _required_leaf(kind.of_type, info)
            return _required(self._complete_value(kind.of_type, node, info), info)
        return _nullable(self._complete_value(kind, node, info))

    def _complete_value(self, kind: GraphQLOutputType, node: FieldNode, info: Info) -> Complete:
        """Return what completes a value of a type that is not null."""
        if isinstance(kind, GraphQLList):
            return _each(self._complete(kind.of_type, node, info))
        if isinstance(kind, GraphQLObjectType):
            assert node.selection_set is not None
            return self._object(kind, [node.selection_set])
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            return self._abstract(kind, node, info)
        return _leaf(kind)

    def _object(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> Complete:
        fields = [self._field(kind, node) for node in self._select(kind, selections)]

        def complete(value: Any, scope: Scope) -> dict[str, Any]:
            return {name: answer(value, scope) for name, answer in fields}

        return complete

    def _abstract(
        self,
        kind: GraphQLInterfaceType | GraphQLUnionType,
        node: FieldNode,
        info: Info,
    ) -> Complete:
        assert node.selection_set is not None
        selections = [node.selection_set]
        concrete = {
            each.name: self._object(each, selections)
            for each in self._schema.get_possible_types(kind)
        }
        resolve: Any = kind.resolve_type or default_type_resolver

        def complete(value: Any, scope: Scope) -> Any:
            name = resolve(value, _within(info, scope), kind)
            if name not in concrete:
                raise TypeError(f"{value!r} is none of the types of {kind.name}.")
            return concrete[name](value, scope)

        return complete

    def _field(self, parent: GraphQLObjectType, node: FieldNode) -> tuple[str, Complete]:
        """Return a field's name in the answer, and what answers it for an object."""
        key = node.alias.value if node.alias else node.name.value
        if node.name.value == "__typename":
            return key, lambda value, scope: parent.name
        field = parent.fields[node.name.value]
        info = self._info(parent, field, node)
        read, complete = _reader(field, node, info), self._complete(field.type, node, info)
        return key, lambda value, scope: complete(read(value, scope), scope)

    def _info(self, parent: GraphQLObjectType, field: GraphQLField, node: FieldNode) -> Info:
        """Return what resolvers learn of a field, but for the scope."""
        known: dict[str, Any] = {
            "field_name": node.name.value,
            "field_nodes": [node],
            "return_type": field.type,
            "parent_type": parent,
            "path": Path(None, node.name.value, parent.name),
            "schema": self._schema,
            "fragments": self._fragments,
            "operation": self._operation,
            "is_awaitable": lambda value: False,
        }
        return GraphQLResolveInfo._make(known.get(name) for name in GraphQLResolveInfo._fields)

    def _select(
        self, parent: GraphQLObjectType, selections: Iterable[SelectionSetNode]
    ) -> Iterator[FieldNode]:
        """Yield the fields that are selected of a concrete type."""
        for selection in selections:
            for node in selection.selections:
                if isinstance(node, FieldNode):
                    yield node
                elif isinstance(node, InlineFragmentNode) and self._applies(node, parent):
                    yield from self._select(parent, [node.selection_set])

    def _applies(self, node: InlineFragmentNode, parent: GraphQLObjectType) -> bool:
        if node.type_condition is None or node.type_condition.name.value == parent.name:
            return True
        named = self._schema.type_map[node.type_condition.name.value]
        return isinstance(
            named, GraphQLInterfaceType | GraphQLUnionType
        ) and self._schema.is_sub_type(named, parent)


def _reader(field: GraphQLField, node: FieldNode, info: Info) -> Read:
    """Return what reads a field: straight off the object where nothing else is asked for."""
    definition = field.extensions.get("strawberry-definition")
    if isinstance(definition, DerivedField):
        derive = definition.read
        return lambda value, scope: derive(value)
    if isinstance(definition, StrawberryField) and definition.is_basic_field:
        name, read = definition.python_name, definition.default_resolver
        return lambda value, scope: read(value, name)
    resolve: Any = field.resolve
    if not field.args:
        return lambda value, scope: resolve(value, _within(info, scope))

    def resolve_with_arguments(value: Any, scope: Scope) -> Any:
        arguments = get_argument_values(field, node, scope.variables)
        return resolve(value, _within(info, scope), **arguments)

    return resolve_with_arguments


def _within(info: Info, scope: Scope) -> Info:
    return info._replace(
        root_value=scope.root, context=scope.context, variable_values=scope.variables
    )


def _required(complete: Complete, info: Info) -> Complete:
    where = _name(info)

    def complete_required(value: Any, scope: Scope) -> Any:
        completed = None if value is None else complete(value, scope)
        if completed is None:
            raise TypeError(f"Cannot return null for non-nullable field {where}.")
        return completed

    return complete_required


def _required_leaf(kind: Any, info: Info) -> Complete:
    """Return what writes a leaf: what most of a plan's work is."""
    where, write = _name(info), kind.coerce_output_value

    def complete(value: Any, scope: Scope) -> Any:
        written = None if value is None else write(value)
        if written is None or written is Undefined:
            raise TypeError(f"Cannot return {value!r} for {where}, a required {kind.name}.")
        return written

    return complete


def _name(info: Info) -> str:
    return f"{info.parent_type.name}.{info.field_name}"


def _nullable(complete: Complete) -> Complete:
    return lambda value, scope: None if value is None else complete(value, scope)


def _each(complete: Complete) -> Complete:
    return lambda values, scope: [complete(value, scope) for value in values]


def _leaf(kind: Any) -> Complete:
    write = kind.coerce_output_value

    def complete(value: Any, scope: Scope) -> Any:
        written = write(value)
        if written is None or written is Undefined:
            raise TypeError(f"{value!r} is no value of {kind.name}.")
        return written

    return complete
