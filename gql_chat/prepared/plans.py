"""Plans: how the value of a prepared document's field becomes plain objects, worked out once.

graphql-core works out for every object anew which fields a selection names, what type each has
and how a value of it is written. For a document that is executed again and again all of that
is known beforehand; what is left of it is calling resolvers and writing leaves.

A plan gives what graphql-core's executor gives (the tests compare them), with two exceptions. An
error is raised as it is, with no partial answer: an event has a whole answer or an error. And the
`path` of what resolvers learn names only the field itself. What a plan cannot do is refused when it
is made (`Unplannable`): coroutines, conditions that hang on variables, other directives, questions
about the schema itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import iscoroutine, iscoroutinefunction
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Model
from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLBoolean,
    GraphQLError,
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
    OperationType,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    default_field_resolver,
    default_type_resolver,
    get_nullable_type,
    is_leaf_type,
    print_ast,
)
from graphql.execution import get_argument_values
from graphql.pyutils import Path, is_iterable
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.field import StrawberryField

from .fields import DerivedField

Info = GraphQLResolveInfo[Any]

Complete = Callable[[Any, "Scope"], Any]
"""Takes what a resolver returned and the scope; returns plain objects."""

Resolve = Callable[[Any, "Scope"], Any]
"""Takes an object and the scope; returns the value of one of its fields."""

Nodes = list[FieldNode]
"""The places of a document that ask for one field under one name."""

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


class Unplannable(GraphQLError):
    """A document that fits its schema asks for what a plan cannot do."""


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
        self._planned: dict[tuple[str, ...], Complete] = {}

    def plan(self) -> Complete:
        """Return what makes the operation's answer out of its root value."""
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None
        is_serial = self._operation.operation is OperationType.MUTATION
        return self._object(root, [self._operation.selection_set], is_serial=is_serial)

    def plan_type(self, name: str) -> Complete:
        """Return what makes the answer out of a value of a root field that is of this type.

        Args:
            name: a concrete type of which the operation's one field may be.
        """
        kind = self._schema.type_map[name]
        (node,) = self._operation.selection_set.selections
        assert isinstance(kind, GraphQLObjectType)
        assert isinstance(node, FieldNode)
        return self._object(kind, _selections([node]))

    def _complete(self, kind: GraphQLOutputType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes a value of a type, null included."""
        if isinstance(kind, GraphQLNonNull):
            if is_leaf_type(kind.of_type):
                return _required_leaf(kind.of_type, info)
            return _required(self._complete_value(kind.of_type, nodes, info), info)
        return _nullable(self._complete_value(kind, nodes, info))

    def _complete_value(self, kind: GraphQLOutputType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes a value of a type that is not null."""
        if isinstance(kind, GraphQLList):
            return self._each(kind.of_type, nodes, info)
        if isinstance(kind, GraphQLObjectType):
            return self._concrete(kind, nodes, info)
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            return self._abstract(kind, nodes, info)
        return _leaf(kind)

    def _concrete(self, kind: GraphQLObjectType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes an object that has to be of a type."""
        complete = self._object(kind, _selections(nodes))
        if kind.is_type_of is None:
            return complete
        return _check_type(
            kind, _synchronous(kind.is_type_of, f"{kind.name}.is_type_of"), complete, info
        )

    def _object(
        self,
        kind: GraphQLObjectType,
        selections: list[SelectionSetNode],
        *,
        is_serial: bool = False,
    ) -> Complete:
        found = self._collect(kind, selections)
        fields = [kind.fields.get(nodes[0].name.value) for nodes in found.values()]
        if len(found) > 1 and all(map(_is_read_leaf, fields)):
            return self._leaves(kind, found)
        return self._fields(kind, found, is_serial=is_serial)

    def _leaves(self, kind: GraphQLObjectType, found: dict[str, Nodes]) -> Complete:
        """Return what completes an object of leaves: one for all places that select the same."""
        texts = kind.name, *(print_ast(nodes[0]) for nodes in found.values())
        if texts not in self._planned:
            self._planned[texts] = _once(self._fields(kind, found))
        return self._planned[texts]

    def _fields(
        self, kind: GraphQLObjectType, found: dict[str, Nodes], *, is_serial: bool = False
    ) -> Complete:
        """Return what completes an object by its fields, one after the other."""
        fields = [(key, self._field(kind, key, nodes)) for key, nodes in found.items()]

        def complete(value: Any, scope: Scope) -> dict[str, Any]:
            completed = {}
            for name, answer in fields:
                completed[name] = answer(value, scope)
            return completed

        def complete_serially(value: Any, scope: Scope) -> dict[str, Any]:
            completed = {}
            for name, answer in fields:
                completed[name] = answer(value, scope)
                # The next field may change what was read.
                scope.completed.clear()
            return completed

        return complete_serially if is_serial else complete

    def _each(self, kind: GraphQLOutputType, nodes: Nodes, info: Info) -> Complete:
        """Return what completes a list of values of a type."""
        if isinstance(kind, GraphQLNonNull) and not is_leaf_type(kind.of_type):
            return _each_required(self._complete_value(kind.of_type, nodes, info), info)
        return _each(self._complete(kind, nodes, info), info)

    def _abstract(
        self,
        kind: GraphQLInterfaceType | GraphQLUnionType,
        nodes: Nodes,
        info: Info,
    ) -> Complete:
        types = self._schema.get_possible_types(kind)
        concrete = {each.name: self._concrete(each, nodes, info) for each in types}
        where = f"{kind.name}.resolve_type"
        resolve = _synchronous(kind.resolve_type or default_type_resolver, where)

        def complete(value: Any, scope: Scope) -> Any:
            name = resolve(value, scope.complete(info), kind)
            if not isinstance(name, str) or name not in concrete:
                raise _no_type(value, kind, _settle(name, where))
            return concrete[name](value, scope)

        if not isinstance(kind, GraphQLInterfaceType) or not _asks_types(kind, types):
            return complete
        asked = {
            _synchronous(each.is_type_of, f"{each.name}.is_type_of"): self._object(
                each, _selections(nodes)
            )
            for each in types
        }
        return _ask_types(asked, kind, info, complete)

    def _field(self, parent: GraphQLObjectType, key: str, nodes: Nodes) -> Complete:
        """Return what answers a field for an object."""
        name = nodes[0].name.value
        if name == "__typename":
            return lambda value, scope: parent.name
        found = parent.fields.get(name)
        if found is None:
            raise Unplannable(f"{name} cannot be prepared.", nodes)
        info = self._info(parent, found, key, nodes)
        if read := _read(found):
            return self._answer(read, found.type, nodes, info)
        complete, resolve = (
            self._complete(found.type, nodes, info),
            _resolver(found, nodes[0], info),
        )
        where = _name(info)

        def answer(value: Any, scope: Scope) -> Any:
            resolved = resolve(value, scope)
            if _is_unsettled(type(resolved)):
                resolved = _settle(resolved, where)
            return complete(resolved, scope)

        return answer

    def _answer(
        self, read: Callable[[Any], Any], kind: GraphQLOutputType, nodes: Nodes, info: Info
    ) -> Complete:
        """Return what answers a field of a type with what is read off the object."""
        if not isinstance(kind, GraphQLNonNull):
            return _answer(read, kind, self._complete(kind, nodes, info), info)
        if is_leaf_type(kind.of_type):
            return _answer_leaf(read, kind.of_type, info)
        return _answer_required(read, self._complete_value(kind.of_type, nodes, info), info)

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
            "is_awaitable": _is_awaitable,
        }
        return GraphQLResolveInfo._make(known.get(name) for name in GraphQLResolveInfo._fields)

    def _collect(
        self, parent: GraphQLObjectType, selections: Iterable[SelectionSetNode]
    ) -> dict[str, Nodes]:
        """Return what is selected of a concrete type, by its name in the answer.

        Raises:
            Unplannable: two fields shall have one name, or something cannot be planned.
        """
        found: dict[str, Nodes] = {}
        for node in self._select(parent, selections, set()):
            nodes = found.setdefault(node.alias.value if node.alias else node.name.value, [])
            nodes.append(node)
            # graphql-core answers such documents with the first; its rule for them is not asked.
            if _asked(node) != _asked(nodes[0]):
                raise Unplannable(
                    f"{parent.name} is asked for {_asked(nodes[0])} and {_asked(node)} under one "
                    "name.",
                    nodes,
                )
        return found

    def _select(
        self, parent: GraphQLObjectType, selections: Iterable[SelectionSetNode], spread: set[str]
    ) -> Iterator[FieldNode]:
        """Yield the fields that are selected of a concrete type, each fragment's once."""
        for node in (node for selection in selections for node in selection.selections):
            if not _is_included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in spread:
                    continue
                spread.add(node.name.value)
                fragment = self._fragments[node.name.value]
            if self._applies(fragment, parent):
                yield from self._select(parent, [fragment.selection_set], spread)

    def _applies(
        self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLObjectType
    ) -> bool:
        if node.type_condition is None or node.type_condition.name.value == parent.name:
            return True
        named = self._schema.type_map[node.type_condition.name.value]
        return isinstance(
            named, GraphQLInterfaceType | GraphQLUnionType
        ) and self._schema.is_sub_type(named, parent)


def _selections(nodes: Nodes) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _asked(node: FieldNode) -> str:
    """Return a field with its arguments, in one order."""
    return f"{node.name.value}({', '.join(sorted(map(print_ast, node.arguments or ())))})"


def _is_included(node: SelectionNode) -> bool:
    """Tell whether a part of a document is asked for, as far as it says so itself.

    Raises:
        Unplannable: a variable or another directive would say.
    """
    included = True
    for directive in node.directives or ():
        name = directive.name.value
        if name not in ("skip", "include"):
            raise Unplannable(f"@{name} cannot be prepared.", directive)
        (condition,) = directive.arguments or ()
        if not isinstance(condition.value, BooleanValueNode):
            raise Unplannable(
                f"@{name} can be prepared with true or false, not with a variable.", directive
            )
        included &= condition.value.value is (name == "include")
    return included


def _synchronous(function: Any, where: str) -> Callable[..., Any]:
    """Return a function that is no coroutine function.

    Raises:
        Unplannable: it is one.
    """
    if iscoroutinefunction(function):
        raise Unplannable(
            f"{where} is a coroutine function; operations run on a database thread: make it a "
            "plain function."
        )
    called: Callable[..., Any] = function
    return called


def _find_unsettled(kind: type[Any]) -> bool:
    return issubclass(kind, Exception | type(Undefined)) or hasattr(kind, "__await__")


_is_unsettled: Callable[[Any], bool] = lru_cache(1000)(_find_unsettled)
"""Tells whether values of a class are no results yet: errors, coroutines, the lack of one."""


def _is_awaitable(value: Any) -> bool:
    return hasattr(type(value), "__await__")


def _settle(value: Any, where: str) -> Any:
    """Return what a value stands for, as graphql-core takes it.

    Raises:
        TypeError: it is a coroutine, or the like, which nobody waits for.
        Exception: it is one.
    """
    if isinstance(value, Exception):
        raise value
    if _is_awaitable(value):
        if iscoroutine(value):
            value.close()
        raise TypeError(
            f"{where} returned {type(value).__name__!r}, which would have to be awaited; "
            "operations run on a database thread."
        )
    return None if value is Undefined else value


def _check_type(
    kind: GraphQLObjectType, is_type_of: Callable[..., Any], complete: Complete, info: Info
) -> Complete:
    """Return what completes an object if its type takes it for its own."""
    where = f"{kind.name}.is_type_of"

    def complete_checked(value: Any, scope: Scope) -> Any:
        is_one = is_type_of(value, scope.complete(info))
        if is_one is not True and not _settle(is_one, where):
            raise _no_type(value, kind)
        return complete(value, scope)

    return complete_checked


def _no_type(value: Any, kind: Any, name: Any = None) -> TypeError:
    told = "" if name is None else f", but {name!r}"
    return TypeError(f"{value!r} is none of the types of {kind.name}{told}.")


def _asks_types(kind: GraphQLInterfaceType, types: Iterable[GraphQLObjectType]) -> bool:
    """Tell whether the types of an interface themselves know what is of them."""
    definition = kind.extensions.get("strawberry-definition")
    if definition is None:
        return False
    # Not by what Strawberry gives them, which takes any object of the interface.
    said = (each.extensions.get("strawberry-definition") for each in types)
    return definition.resolve_type is None and all(
        each is not None and each.is_type_of is not None for each in said
    )


def _ask_types(
    types: dict[Any, Complete], kind: GraphQLInterfaceType, info: Info, resolve: Complete
) -> Complete:
    """Return what completes a row by the first type that takes it for its own.

    So would Strawberry, after looking for what rows do not have: the class of a type, a cast. It
    takes ten times as long, so it is left to look at all but rows.

    Args:
        types: what completes a value, by what tells that it is of a type.
        kind: the interface.
        info: what resolvers learn of the field.
        resolve: what completes any value as Strawberry does.
    """
    origin = kind.extensions["strawberry-definition"].origin
    where = f"{kind.name}.is_type_of"

    def complete(value: Any, scope: Scope) -> Any:
        if (
            not isinstance(value, Model)
            or isinstance(value, origin)
            or TYPE_CAST_ATTRIBUTE in vars(value)
        ):
            return resolve(value, scope)
        known = scope.complete(info)
        for is_type_of, complete_as in types.items():
            is_one = is_type_of(value, known)
            if is_one is True or _settle(is_one, where):
                return complete_as(value, scope)
        raise _no_type(value, kind)

    return complete


def _read(found: GraphQLField) -> Callable[[Any], Any] | None:
    """Return what reads a field's value off the object, if nothing else is asked for it."""
    definition = found.extensions.get("strawberry-definition")
    # So Strawberry calls what only reads, without extensions, permissions and handlers of errors;
    # tests/unit/test_plans.py notices if it does not any more.
    reads = getattr(found.resolve, "__name__", "") == "_get_basic_result"
    if not reads or not isinstance(definition, StrawberryField):
        return None
    if isinstance(definition, DerivedField):
        return definition.read
    if definition.default_resolver is getattr:
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


def _answer(read: Callable[[Any], Any], kind: Any, complete: Complete, info: Info) -> Complete:
    """Return what answers a field with what is read off the object."""
    plain, where = _PLAIN.get(kind), _name(info)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        if type(found) is plain:
            return found
        if _is_unsettled(type(found)):
            found = _settle(found, where)
        return complete(found, scope)

    return answer


def _answer_required(read: Callable[[Any], Any], complete: Complete, info: Info) -> Complete:
    """Return what answers a field with an object or a list that is required."""
    where = _name(info)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        if _is_unsettled(type(found)):
            found = _settle(found, where)
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
        if _is_unsettled(type(found)):
            found = _settle(found, where)
        written = None if found is None else write(found)
        if written is None or written is Undefined:
            raise _no_value(found, where, kind)
        return written

    return answer


def _resolver(found: GraphQLField, node: FieldNode, info: Info) -> Resolve:
    """Return what calls a field's resolver."""
    resolve = _synchronous(found.resolve or default_field_resolver, _name(info))
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


def _each(complete: Complete, info: Info) -> Complete:
    """Return what completes a list of values."""
    where = _name(info)

    def complete_each(values: Any, scope: Scope) -> list[Any]:
        return [
            complete(_settle(value, where) if _is_unsettled(type(value)) else value, scope)
            for value in _iterable(values, where)
        ]

    return complete_each


def _each_required(complete: Complete, info: Info) -> Complete:
    """Return what completes a list of values none of which may be null."""
    where = _name(info)

    def complete_each(values: Any, scope: Scope) -> list[Any]:
        completed = []
        for value in _iterable(values, where):
            item = _settle(value, where) if _is_unsettled(type(value)) else value
            if item is None:
                raise _null(where)
            completed.append(complete(item, scope))
        return completed

    return complete_each


def _iterable(values: Any, where: str) -> Iterable[Any]:
    if type(values) is not list and not is_iterable(values):
        raise TypeError(f"{where} returned {type(values).__name__!r}, which is no list.")
    found: Iterable[Any] = values
    return found


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
