"""Plans: how the value of a prepared document's field becomes plain objects, worked out once.

graphql-core works out for every object anew which fields a selection names, what type each has
and how a value of it is written. For a document that is executed again and again all of that is
known beforehand; only the calls of resolvers and the writing of leaves are left.

A plan gives what graphql-core's executor gives (the tests compare them), with two exceptions. An
error is raised as it is, with no partial answer: an event has a whole answer or an error. And the
`path` of what resolvers learn names only the field itself. A plan that would need one of these is
refused when it is made (`Unplannable`): coroutines, conditions that hang on variables, other
directives, questions about the schema itself.

The parts of a plan are functions that take a value and a `Scope`. Each module beside this one makes
those of one kind: `leaves`, `completion` (null and lists), `types`, `answers` (fields).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import (
    DocumentNode,
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
    OperationDefinitionNode,
    SelectionSetNode,
    default_type_resolver,
    is_leaf_type,
)
from graphql.pyutils import Path

from .answers import (
    answer_leaf,
    answer_optional,
    answer_required,
    find_reader,
    resolver,
)
from .collection import Collection, Nodes, selections
from .completion import each_optional, each_required, nullable, required
from .errors import Unplannable, no_type
from .leaves import leaf, required_leaf
from .results import is_awaitable, is_unsettled, settle, synchronous
from .scopes import Complete, Info, Scope, name_of
from .types import ask_types, asks_types, check_type


class Planner:
    """Makes the plans of one operation.

    Args:
        schema: the schema.
        document: a document that is valid in it, with one operation.

    Raises:
        Unplannable: something of it cannot be planned; the message names it.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        (self._operation,) = (
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        )
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        for node in (self._operation, *self._fragments.values()):
            for directive in node.directives or ():
                raise Unplannable(f"@{directive.name.value} cannot be prepared.", directive)
        self._collection = Collection(schema, self._fragments)

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
        return self._object(kind, selections([node]))

    def _complete(self, kind: GraphQLOutputType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes a value of a type, null included."""
        if isinstance(kind, GraphQLNonNull):
            if is_leaf_type(kind.of_type):
                return required_leaf(kind.of_type, info)
            return required(self._complete_value(kind.of_type, nodes, info), info)
        return nullable(self._complete_value(kind, nodes, info))

    def _complete_value(self, kind: GraphQLOutputType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes a value of a type that is not null."""
        if isinstance(kind, GraphQLList):
            return self._each(kind.of_type, nodes, info)
        if isinstance(kind, GraphQLObjectType):
            return self._concrete(kind, nodes, info)
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            return self._abstract(kind, nodes, info)
        return leaf(kind)

    def _concrete(self, kind: GraphQLObjectType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes an object that has to be of a type."""
        complete = self._object(kind, selections(nodes))
        if kind.is_type_of is None:
            return complete
        return check_type(
            kind, synchronous(kind.is_type_of, f"{kind.name}.is_type_of"), complete, info
        )

    def _object(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> Complete:
        """Return what completes an object by its fields, one after the other."""
        found = self._collection.collect(kind, selections)
        fields = [(key, self._field(kind, key, nodes)) for key, nodes in found.items()]

        def complete(value: Any, scope: Scope) -> dict[str, Any]:
            completed = {}
            for name, answer in fields:
                completed[name] = answer(value, scope)
            return completed

        return complete

    def _each(self, kind: GraphQLOutputType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes a list of values of a type."""
        if isinstance(kind, GraphQLNonNull) and not is_leaf_type(kind.of_type):
            return each_required(self._complete_value(kind.of_type, nodes, info), info)
        return each_optional(self._complete(kind, nodes, info), info)

    def _abstract(
        self,
        kind: GraphQLInterfaceType | GraphQLUnionType,
        nodes: Nodes,
        info: Info,
    ) -> Complete:
        types = self._schema.get_possible_types(kind)
        concrete = {each.name: self._concrete(each, nodes, info) for each in types}
        where = f"{kind.name}.resolve_type"
        resolve = synchronous(kind.resolve_type or default_type_resolver, where)

        def complete(value: Any, scope: Scope) -> Any:
            name = resolve(value, scope.complete(info), kind)
            if not isinstance(name, str) or name not in concrete:
                raise no_type(value, kind, settle(name, where))
            return concrete[name](value, scope)

        if not isinstance(kind, GraphQLInterfaceType) or not asks_types(kind, types):
            return complete
        asked = {
            synchronous(each.is_type_of, f"{each.name}.is_type_of"): self._object(
                each, selections(nodes)
            )
            for each in types
        }
        return ask_types(asked, kind, info, complete)

    def _field(self, parent: GraphQLObjectType, key: str, nodes: Nodes) -> Complete:
        """Return what answers a field for an object."""
        name = nodes[0].name.value
        if name == "__typename":
            return lambda value, scope: parent.name
        found = parent.fields.get(name)
        if found is None:
            raise Unplannable(f"{name} cannot be prepared.", nodes)
        info = self._info(parent, found, key, nodes)
        if read := find_reader(found):
            return self._answer(read, found.type, nodes, info)
        complete, resolve = (
            self._complete(found.type, nodes, info),
            resolver(found, nodes[0], info),
        )
        where = name_of(info)

        def answer(value: Any, scope: Scope) -> Any:
            resolved = resolve(value, scope)
            if is_unsettled(type(resolved)):
                resolved = settle(resolved, where)
            return complete(resolved, scope)

        return answer

    def _answer(
        self, read: Callable[[Any], Any], kind: GraphQLOutputType, nodes: Nodes, info: Info
    ) -> Complete:
        """Return what answers a field of a type with what is read off the object."""
        if not isinstance(kind, GraphQLNonNull):
            return answer_optional(read, kind, self._complete(kind, nodes, info), info)
        if is_leaf_type(kind.of_type):
            return answer_leaf(read, kind.of_type, info)
        return answer_required(read, self._complete_value(kind.of_type, nodes, info), info)

    def _info(self, parent: GraphQLObjectType, found: GraphQLField, key: str, nodes: Nodes) -> Info:
        """Return what resolvers learn of a field, but for the scope."""
        known: dict[str, Any] = {
            "field_name": nodes[0].name.value,
            "field_nodes": nodes,
            "return_type": found.type,
            "parent_type": parent,
            "path": Path(None, key, parent.name),
            "schema": self._schema,
            "fragments": self._fragments,
            "operation": self._operation,
            "is_awaitable": is_awaitable,
        }
        return GraphQLResolveInfo._make(known.get(name) for name in GraphQLResolveInfo._fields)
