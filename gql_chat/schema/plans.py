"""Plans: how the value of a prepared document's field becomes plain objects, worked out once.

graphql-core works out for every object anew which fields a selection names, what type each has
and how a value of it is written. For a document that is executed again and again all of that
is known beforehand; what is left of it is calling resolvers and writing leaves. A plan gives what
graphql-core's executor gives (the tests compare them), except that an error is raised as it is,
with no partial answer: an event has a whole answer or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    default_type_resolver,
    get_nullable_type,
    is_leaf_type,
    print_ast,
)
from graphql.execution import get_argument_values
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from .fields import DerivedField

Info = GraphQLResolveInfo[Any]

Complete = Callable[[Any, "Scope"], Any]
"""Takes what a resolver returned and the scope; returns plain objects."""

Resolve = Callable[[Any, "Scope"], Any]
"""Takes an object and the scope; returns the value of one of its fields."""

_PLAIN = {GraphQLString: str, GraphQLBoolean: bool}
"""The scalars that write values of a type as they are."""


@dataclass(slots=True, frozen=True)
class Scope:
    """What one execution has of its own.

    Attributes:
        root: the value that the operation starts from.
        context: what resolvers find in `info.context`.
        variables: the coerced variables, as graphql-core returns them.
        completed: the objects that were completed once for all places, with their answers, by
            the plan's key and the object's.
    """

    root: Any
    context: Any
    variables: Any
    completed: dict[tuple[int, int], tuple[Any, Any]] = field(default_factory=dict)
    _infos: dict[int, Info] = field(default_factory=dict)

    def complete(self, info: Info) -> Info:
        """Return what resolvers learn of a field, with what this execution knows of it.

        Args:
            info: what the plan knows.
        """
        known = self._infos.get(id(info))
        if known is None:
            known = self._infos[id(info)] = info._replace(
                root_value=self.root, context=self.context, variable_values=self.variables
            )
        return known


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
        self._planned: dict[tuple[str, ...], Complete] = {}

    def plan(self) -> Complete:
        """Return what makes the operation's answer out of its root value."""
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None
        return self._object(root, [self._operation.selection_set])

    def plan_type(self, name: str) -> Complete:
        """Return what makes the answer out of a value of a root field that is of this type.

        Args:
            name: a concrete type of which the operation's one field may be.
        """
        kind = self._schema.type_map[name]
        (node,) = self._operation.selection_set.selections
        assert isinstance(kind, GraphQLObjectType)
        assert isinstance(node, FieldNode)
        assert node.selection_set is not None
        return self._object(kind, [node.selection_set])

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
            return self._each(kind.of_type, node, info)
        if isinstance(kind, GraphQLObjectType):
            assert node.selection_set is not None
            return self._object(kind, [node.selection_set])
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            return self._abstract(kind, node, info)
        return _leaf(kind)

    def _object(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> Complete:
        nodes = list(self._select(kind, selections))
        found = [kind.fields.get(node.name.value) for node in nodes]
        if len(found) > 1 and all(map(_is_read_leaf, found)):
            return self._leaves(kind, nodes)
        return self._fields(kind, nodes)

    def _leaves(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Complete:
        """Return what completes an object of leaves: one for all places that select the same."""
        texts = kind.name, *map(print_ast, nodes)
        if texts not in self._planned:
            self._planned[texts] = _once(self._fields(kind, nodes))
        return self._planned[texts]

    def _fields(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Complete:
        """Return what completes an object by its fields, one after the other."""
        fields = [self._field(kind, node) for node in nodes]

        def complete(value: Any, scope: Scope) -> dict[str, Any]:
            completed = {}
            for name, answer in fields:
                completed[name] = answer(value, scope)
            return completed

        return complete

    def _each(self, kind: GraphQLOutputType, node: FieldNode, info: Info) -> Complete:
        """Return what completes a list of values of a type."""
        if isinstance(kind, GraphQLNonNull) and not is_leaf_type(kind.of_type):
            return _each_required(self._complete_value(kind.of_type, node, info), info)
        complete = self._complete(kind, node, info)
        return lambda values, scope: [complete(value, scope) for value in values]

    def _abstract(
        self,
        kind: GraphQLInterfaceType | GraphQLUnionType,
        node: FieldNode,
        info: Info,
    ) -> Complete:
        assert node.selection_set is not None
        selections = [node.selection_set]
        types = self._schema.get_possible_types(kind)
        concrete = {each.name: self._object(each, selections) for each in types}
        if isinstance(kind, GraphQLInterfaceType) and _asks_types(kind, types):
            return _ask_types({each.is_type_of: concrete[each.name] for each in types}, kind, info)
        resolve: Any = kind.resolve_type or default_type_resolver

        def complete(value: Any, scope: Scope) -> Any:
            name = resolve(value, scope.complete(info), kind)
            if name not in concrete:
                raise TypeError(f"{value!r} is none of the types of {kind.name}.")
            return concrete[name](value, scope)

        return complete

    def _field(self, parent: GraphQLObjectType, node: FieldNode) -> tuple[str, Complete]:
        """Return a field's name in the answer, and what answers it for an object."""
        key = node.alias.value if node.alias else node.name.value
        if node.name.value == "__typename":
            return key, lambda value, scope: parent.name
        found = parent.fields[node.name.value]
        info = self._info(parent, found, node)
        if read := _read(found):
            return key, self._answer(read, found.type, node, info)
        complete, resolve = self._complete(found.type, node, info), _resolver(found, node, info)
        return key, lambda value, scope: complete(resolve(value, scope), scope)

    def _answer(
        self, read: Callable[[Any], Any], kind: GraphQLOutputType, node: FieldNode, info: Info
    ) -> Complete:
        """Return what answers a field of a type with what is read off the object."""
        if not isinstance(kind, GraphQLNonNull):
            return _answer(read, kind, self._complete(kind, node, info))
        if is_leaf_type(kind.of_type):
            return _answer_leaf(read, kind.of_type, info)
        return _answer_required(read, self._complete_value(kind.of_type, node, info), info)

    def _info(self, parent: GraphQLObjectType, found: GraphQLField, node: FieldNode) -> Info:
        """Return what resolvers learn of a field, but for the scope."""
        known: dict[str, Any] = {
            "field_name": node.name.value,
            "field_nodes": [node],
            "return_type": found.type,
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


def _asks_types(kind: GraphQLInterfaceType, types: Iterable[GraphQLObjectType]) -> bool:
    """Tell whether the types of an interface themselves know what is of them."""
    definition = kind.extensions.get("strawberry-definition")
    says = definition is None or definition.resolve_type is not None
    return not says and all(each.is_type_of is not None for each in types)


def _ask_types(types: dict[Any, Complete], kind: GraphQLInterfaceType, info: Info) -> Complete:
    """Return what completes a value by the first type that takes it for its own."""

    def complete(value: Any, scope: Scope) -> Any:
        known = scope.complete(info)
        for is_type_of, complete_as in types.items():
            if is_type_of(value, known):
                return complete_as(value, scope)
        raise TypeError(f"{value!r} is none of the types of {kind.name}.")

    return complete


def _read(found: GraphQLField) -> Callable[[Any], Any] | None:
    """Return what reads a field's value off the object, if nothing else is asked for it."""
    definition = found.extensions.get("strawberry-definition")
    if isinstance(definition, DerivedField):
        return definition.read
    if (
        isinstance(definition, StrawberryField)
        and definition.is_basic_field
        and definition.default_resolver is getattr
    ):
        return attrgetter(definition.python_name)
    return None


def _is_read_leaf(found: GraphQLField | None) -> bool:
    """Tell whether a field is a leaf that is read off the object."""
    return (
        found is not None
        and is_leaf_type(get_nullable_type(found.type))
        and _read(found) is not None
    )


def _once(complete: Complete) -> Complete:
    """Return what completes an object once, however often it stands in an answer.

    A user who wrote a page of messages does. What is read off an object is the same in all places.
    """
    key = id(complete)

    def complete_once(value: Any, scope: Scope) -> Any:
        place = key, id(value)
        known = scope.completed.get(place)
        if known is None:
            # The object stays as long as its key is known.
            known = scope.completed[place] = value, complete(value, scope)
        return known[1]

    return complete_once


def _answer(read: Callable[[Any], Any], kind: Any, complete: Complete) -> Complete:
    """Return what answers a field with what is read off the object."""
    plain = _PLAIN.get(kind)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        return found if type(found) is plain else complete(found, scope)

    return answer


def _answer_required(read: Callable[[Any], Any], complete: Complete, info: Info) -> Complete:
    """Return what answers a field with an object or a list that is required."""
    where = _name(info)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        if found is None:
            raise _null(where)
        return complete(found, scope)

    return answer


def _answer_leaf(read: Callable[[Any], Any], kind: Any, info: Info) -> Complete:
    """Return what answers a field with a leaf that is required: most of an answer is such."""
    plain, write, where = _PLAIN.get(kind), _writer(kind), _name(info)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        if type(found) is plain:
            return found
        written = None if found is None else write(found)
        if written is None or written is Undefined:
            raise _no_value(found, where, kind)
        return written

    return answer


def _resolver(found: GraphQLField, node: FieldNode, info: Info) -> Resolve:
    """Return what calls a field's resolver."""
    resolve: Any = found.resolve
    if not found.args:
        return lambda value, scope: resolve(value, scope.complete(info))

    def resolve_with_arguments(value: Any, scope: Scope) -> Any:
        arguments = get_argument_values(found, node, scope.variables)
        return resolve(value, scope.complete(info), **arguments)

    return resolve_with_arguments


def _required(complete: Complete, info: Info) -> Complete:
    where = _name(info)

    def complete_required(value: Any, scope: Scope) -> Any:
        if value is None:
            raise _null(where)
        return complete(value, scope)

    return complete_required


def _each_required(complete: Complete, info: Info) -> Complete:
    """Return what completes a list of values none of which may be null."""
    where = _name(info)

    def complete_each(values: Any, scope: Scope) -> list[Any]:
        completed = []
        for value in values:
            if value is None:
                raise _null(where)
            completed.append(complete(value, scope))
        return completed

    return complete_each


def _null(where: str) -> TypeError:
    return TypeError(f"Cannot return null for non-nullable field {where}.")


def _required_leaf(kind: Any, info: Info) -> Complete:
    """Return what writes a leaf that is required."""
    where, write = _name(info), _writer(kind)

    def complete(value: Any, scope: Scope) -> Any:
        written = None if value is None else write(value)
        if written is None or written is Undefined:
            raise _no_value(value, where, kind)
        return written

    return complete


def _writer(kind: Any) -> Callable[[Any], Any]:
    """Return what writes a leaf: the type's own function, or what does the same faster."""
    write: Callable[[Any], Any] = kind.coerce_output_value
    # So the type writes whose values are UUIDs.
    return _write_text if write is str else write


def _write_text(value: Any) -> str:
    return orjson.dumps(value)[1:-1].decode() if type(value) is UUID else str(value)


def _no_value(value: Any, where: str, kind: Any) -> TypeError:
    return TypeError(f"Cannot return {value!r} for {where}, a required {kind.name}.")


def _name(info: Info) -> str:
    return f"{info.parent_type.name}.{info.field_name}"


def _nullable(complete: Complete) -> Complete:
    return lambda value, scope: None if value is None else complete(value, scope)


def _leaf(kind: Any) -> Complete:
    write = _writer(kind)

    def complete(value: Any, scope: Scope) -> Any:
        written = write(value)
        if written is None or written is Undefined:
            raise TypeError(f"{value!r} is no value of {kind.name}.")
        return written

    return complete
