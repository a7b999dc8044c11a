"""The audit log: what users do at the endpoint on behalf of others, in one line for each operation.

A line tells of the operation as it was parsed: its kind, its name, its fields and their arguments.
So nothing that a client writes around it, such as a comment, can stand in its place, and no field
can hide behind others. Values that name the subject of an operation are shown: ids, numbers, times,
names of rooms, roles and permissions. Of all other texts only the length is shown: they may be
messages, or secrets. The type of an argument in the schema decides which of them it is, never the
client.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    parse,
    value_from_ast_untyped,
)

from ..conf import chat_settings
from ..errors import quote, shorten
from ..schema import Context

logger = logging.getLogger("gql_chat.audit")

SHOWN_SCALARS = frozenset({"Int", "Float", "Boolean", "UUID", "UserID", "Timestamp", "Bytes"})
"""Scalars whose values are shown, where they are valid: they hold nothing that a person wrote."""

SHOWN_TEXTS = frozenset(
    {"type", "name", "leaders", "permission", "stream", "kind", "notification_type"}
)
"""Arguments whose texts are shown: they say what is dealt with."""

_KEY = re.compile(r"[\w.@+:-]{1,64}")
"""The form of a user's primary key where that is text: others may be sentences."""

_NAME_LENGTH = 100
_ITEMS = 20
"""How many items of a list, or fields of an object, are shown."""

_FIELDS = 200
"""How many fields inside one field of an operation are shown."""

_FIELDS_IN_ALL = 1000
"""How many fields inside those of an operation are shown in all."""

_DEEPEST = 12


def note(
    context: Context,
    schema: GraphQLSchema,
    query: str | None,
    variables: Mapping[str, Any] | None,
    operation_name: str | None,
) -> None:
    """Log an operation that a user is about to run on behalf of another.

    Args:
        context: on whose behalf it runs; nothing is logged of users who act for themselves.
        schema: the schema.
        query: the text of the document.
        variables: the values of its variables, as they came.
        operation_name: which operation of the document it is; None for the only one.
    """
    if context.actor_id is None:
        return
    text, fields = describe(schema, query or "", variables or {}, operation_name)
    logger.info(
        "User %s acts as user %s: %s",
        _write_key(context.actor_id),
        _write_key(context.user_id),
        text,
        extra={
            "actor_id": str(context.actor_id),
            "user_id": str(context.user_id),
            "fields": fields,
        },
    )


def _write_key(key: Any) -> str:
    """Return the primary key of a user, which may be a text of any kind."""
    text = str(key)
    return text if _KEY.fullmatch(text) is not None else quote(text)


def describe(
    schema: GraphQLSchema, query: str, variables: Mapping[str, Any], operation_name: str | None
) -> tuple[str, list[str]]:
    """Return an operation in one line, and the names of its fields.

    A document that cannot be read, or does not say which operation is meant, is told of as such:
    none of it runs.
    """
    try:
        limit = chat_settings.GRAPHQL_MAX_TOKENS
        document = parse(query, no_location=True, max_tokens=limit)
    except (GraphQLError, RecursionError):
        return "a document that cannot be read", []
    operation = _find_operation(document, operation_name)
    if operation is None:
        return "a document without the operation that is asked for", []
    return _Description(schema, document, operation, variables).write()


def _find_operation(
    document: DocumentNode, operation_name: str | None
) -> OperationDefinitionNode | None:
    found = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if operation_name:
        found = [node for node in found if node.name and node.name.value == operation_name]
    return found[0] if len(found) == 1 else None


@dataclass(slots=True)
class _Asked:
    """A field that is asked for, in one or several places.

    Attributes:
        arguments: its arguments, as text.
        inside: what is selected of it.
    """

    arguments: str
    inside: list[SelectionSetNode] = field(default_factory=list)


class _Description:
    """Writes one operation down."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        defaults = {
            node.variable.name.value: value_from_ast_untyped(node.default_value)
            for node in operation.variable_definitions or ()
            if node.default_value is not None
        }
        self._variables = {**defaults, **variables}
        self._left = 0

    def write(self) -> tuple[str, list[str]]:
        """Return the line, and the names of the operation's fields."""
        operation = self._operation
        root = self._schema.get_root_type(operation.operation)
        texts, names, in_all = [], [], _FIELDS_IN_ALL
        for name, asked in self._collect(root, [operation.selection_set]):
            # Each of these has a bound of its own: none hides those behind it.
            given = self._left = min(_FIELDS, in_all)
            names.append(name)
            texts.append(name + asked.arguments + self._write_inside(root, name, asked, 1))
            in_all -= given - max(self._left, 0)
        title = operation.operation.value
        if operation.name is not None:
            title += f" {shorten(operation.name.value, _NAME_LENGTH)}"
        return f"{title}: {'; '.join(texts)}", names

    def _write_inside(self, parent: Any, name: str, asked: _Asked, depth: int) -> str:
        if not asked.inside:
            return ""
        found = parent.fields.get(name) if parent is not None else None
        kind = get_named_type(found.type) if found is not None else None
        inner: list[str] = []
        if depth < _DEEPEST:
            for inner_name, inside in self._collect(kind, asked.inside):
                self._left -= 1
                if self._left < 0:
                    inner.append("…")
                    break
                deeper = self._write_inside(_with_fields(kind), inner_name, inside, depth + 1)
                inner.append(inner_name + inside.arguments + deeper)
        return f" {{{' '.join(inner)}}}"

    def _collect(
        self, parent: Any, selections: Iterable[SelectionSetNode]
    ) -> list[tuple[str, _Asked]]:
        """Return the fields that are selected, those of one name in the result once."""
        found: dict[tuple[str, str, str], _Asked] = {}
        for kind, node in self._select(parent, selections, set()):
            name = shorten(node.name.value, _NAME_LENGTH)
            arguments = self._write_arguments(kind, node)
            alias = node.alias.value if node.alias is not None else name
            asked = found.setdefault((alias, name, arguments), _Asked(arguments))
            if node.selection_set is not None:
                asked.inside.append(node.selection_set)
        return [(name, asked) for (_, name, _), asked in found.items()]

    def _select(
        self, parent: Any, selections: Iterable[SelectionSetNode], spread: set[str]
    ) -> Iterator[tuple[Any, FieldNode]]:
        """Yield the fields of selections, each with the type that it is a field of."""
        for node in (node for each in selections for node in each.selections):
            if isinstance(node, FieldNode):
                yield _with_fields(parent), node
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in spread or name not in self._fragments:
                    continue
                spread.add(name)
                fragment = self._fragments[name]
            assert isinstance(fragment, FragmentDefinitionNode | InlineFragmentNode)
            condition = fragment.type_condition
            kind = parent
            if condition is not None:
                kind = self._schema.type_map.get(condition.name.value)
            yield from self._select(kind, [fragment.selection_set], spread)

    # Arguments

    def _write_arguments(self, parent: Any, node: FieldNode) -> str:
        if not node.arguments:
            return ""
        known = parent.fields.get(node.name.value) if parent is not None else None
        texts = []
        for argument in node.arguments[:_ITEMS]:
            name = argument.name.value
            declared = known.args.get(name) if known is not None else None
            kind = declared.type if declared is not None else None
            value = self._value(argument.value)
            texts.append(f"{shorten(name, _NAME_LENGTH)}: {_write(name, kind, value)}")
        if len(node.arguments) > _ITEMS:
            texts.append("…")
        return f"({', '.join(texts)})"

    def _value(self, node: Any) -> Any:
        """Return the value of an argument, its variables replaced; they may be of any shape."""
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value)
        if isinstance(node, ListValueNode):
            return [self._value(item) for item in node.values]
        if isinstance(node, ObjectValueNode):
            return {item.name.value: self._value(item.value) for item in node.fields}
        if isinstance(node, NullValueNode):
            return None
        try:
            return value_from_ast_untyped(node)
        except ValueError:  # a number with more digits than Python reads
            return _Unreadable


class _Unreadable:
    """Stands for a value that cannot be read."""


def _with_fields(kind: Any) -> Any:
    return kind if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else None


def _write(name: str, kind: Any, value: Any) -> str:
    """Return a value as the log shows it.

    Args:
        name: the name of the argument, or of the field of an input, whose value it is.
        kind: its type in the schema; None if it has none.
        value: the value.
    """
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if value is None:
        return "null"
    if isinstance(kind, GraphQLList):
        items = value if isinstance(value, list) else [value]
        texts = [_write(name, kind.of_type, item) for item in items[:_ITEMS]]
        more = [f"… {len(items) - _ITEMS} more"] if len(items) > _ITEMS else []
        return f"[{', '.join([*texts, *more])}]"
    if isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
        known = [key for key in value if key in kind.fields]
        texts = [f"{key}: {_write(key, kind.fields[key].type, value[key])}" for key in known]
        if len(known) < len(value):
            texts.append(f"{len(value) - len(known)} unknown fields")
        return f"{{{', '.join(texts)}}}"
    return quote(value) if _is_shown(name, kind, value) else _outline(value)


def _is_shown(name: str, kind: Any, value: Any) -> bool:
    """Tell whether a value is shown: one that its type does not take may be anything."""
    if isinstance(kind, GraphQLEnumType):
        return isinstance(value, str) and value in kind.values
    if not isinstance(kind, GraphQLScalarType):
        return False
    if kind.name == "String":
        return isinstance(value, str) and name in SHOWN_TEXTS
    if kind.name not in SHOWN_SCALARS:
        return False
    try:
        kind.coerce_input_value(value)
        if kind.name == "UserID" and isinstance(value, str):
            get_user_model()._meta.pk.to_python(value)
            return _KEY.fullmatch(value) is not None
    except Exception:
        return False
    return True


def _outline(value: Any) -> str:
    """Return what may be shown of any value: its kind, and how long it is."""
    if isinstance(value, str):
        return f"<{len(value)} characters>"
    if isinstance(value, list):
        return f"<list of {len(value)}>"
    return "<object>" if isinstance(value, dict) else "<value>"
