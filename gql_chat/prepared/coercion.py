"""Coercion: how JSON that clients send becomes what a type of the schema takes.

graphql-core finds out for every value what its type is made of. Of a prepared document that is
known beforehand, so here each type has a function of its own that does the same. What does not
simply fit is `Undefined`, and is left to graphql-core to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNonNull,
    Undefined,
    coerce_input_value,
    is_leaf_type,
    is_required_input_field,
)
from graphql.utilities.coerce_input_value import coerce_default_value

Coerce = Callable[[Any], Any]
"""Takes a value; returns what the type makes of it, or `Undefined` where it does not fit."""


def coercer(kind: GraphQLInputType) -> Coerce:
    """Return what coerces values of a type, as graphql-core's `coerce_input_value` does."""
    if isinstance(kind, GraphQLNonNull):
        return _required(coercer(kind.of_type))
    if isinstance(kind, GraphQLInputObjectType) and not kind.is_one_of:
        return _ObjectCoercer(kind)
    if is_leaf_type(kind):
        return _leaf(kind)
    return lambda value: coerce_input_value(value, kind)


def _required(coerce: Coerce) -> Coerce:
    return lambda value: Undefined if value is None else coerce(value)


def _leaf(kind: Any) -> Coerce:
    coerce_leaf = kind.coerce_input_value

    def coerce(value: Any) -> Any:
        if value is None:
            return None
        try:
            return coerce_leaf(value)
        except Exception:
            return Undefined

    return coerce


class _ObjectCoercer:
    """Coerces values of an input.

    Args:
        kind: the input.
    """

    def __init__(self, kind: GraphQLInputObjectType) -> None:
        self._kind = kind

    @cached_property
    def _fields(self) -> list[tuple[str, str, Coerce, bool, GraphQLInputField]]:
        """Of each field the name, the name it is passed on by, what coerces it, if it is required.

        Only when they are asked for: an input may have itself for a field.
        """
        return [
            (
                name,
                field.out_name or name,
                coercer(field.type),
                is_required_input_field(field),
                field,
            )
            for name, field in self._kind.fields.items()
        ]

    def __call__(self, value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict) or not self._kind.fields.keys() >= value.keys():
            return Undefined
        coerced = {}
        for name, out_name, coerce, required, field in self._fields:
            if name in value:
                fit = coerce(value[name])
                if fit is Undefined:
                    return Undefined
                coerced[out_name] = fit
            elif required:
                return Undefined
            else:
                default = coerce_default_value(field)
                if default is not Undefined:
                    coerced[out_name] = default
        return self._kind.out_type(coerced)
