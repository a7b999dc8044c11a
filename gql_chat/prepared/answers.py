"""Answers: how a field of an object is answered, read off the object or by a resolver."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    Undefined,
    default_field_resolver,
)
from graphql.execution import get_argument_values
from strawberry.types.field import StrawberryField

from .errors import no_value, null
from .fields import DerivedField
from .leaves import PLAIN, writer
from .results import is_unsettled, settle, synchronous
from .scopes import Complete, Info, Resolve, Scope, name_of


def find_reader(found: GraphQLField) -> Callable[[Any], Any] | None:
    """Return what reads a field's value off the object, if nothing else is asked for it."""
    definition = found.extensions.get("strawberry-definition")
    # Strawberry gives this name to a resolver that only reads, without extensions, permissions and
    # handlers of errors; `tests/unit/prepared/test_answers.py` notices if it does not any more.
    reads = getattr(found.resolve, "__name__", "") == "_get_basic_result"
    if not reads or not isinstance(definition, StrawberryField):
        return None
    if isinstance(definition, DerivedField):
        return definition.read
    if definition.default_resolver is getattr:
        return attrgetter(definition.python_name)
    return None


def answer_optional(
    read: Callable[[Any], Any], kind: Any, complete: Complete, info: Info
) -> Complete:
    """Return what answers a field that may be null with what is read off the object."""
    plain, where = PLAIN.get(kind), name_of(info)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        if type(found) is plain:
            return found
        if is_unsettled(type(found)):
            found = settle(found, where)
        return complete(found, scope)

    return answer


def answer_required(read: Callable[[Any], Any], complete: Complete, info: Info) -> Complete:
    """Return what answers a field with an object or a list that is required."""
    where = name_of(info)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        if is_unsettled(type(found)):
            found = settle(found, where)
        if found is None:
            raise null(where)
        return complete(found, scope)

    return answer


def answer_leaf(read: Callable[[Any], Any], kind: Any, info: Info) -> Complete:
    """Return what answers a field with a leaf that is required: most of an answer is such."""
    plain, write, where = PLAIN.get(kind), writer(kind), name_of(info)

    def answer(value: Any, scope: Scope) -> Any:
        found = read(value)
        if type(found) is plain:
            return found
        if is_unsettled(type(found)):
            found = settle(found, where)
        written = None if found is None else write(found)
        if written is None or written is Undefined:
            raise no_value(found, where, kind)
        return written

    return answer


def resolver(found: GraphQLField, node: FieldNode, info: Info) -> Resolve:
    """Return what calls a field's resolver."""
    resolve = synchronous(found.resolve or default_field_resolver, name_of(info))
    if not found.args:
        return lambda value, scope: resolve(value, scope.complete(info))

    def resolve_with_arguments(value: Any, scope: Scope) -> Any:
        arguments = get_argument_values(found, node, scope.variables)
        return resolve(value, scope.complete(info), **arguments)

    return resolve_with_arguments
