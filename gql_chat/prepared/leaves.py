"""Leaves: how scalars and enums are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from graphql import GraphQLBoolean, GraphQLString, Undefined

from .errors import no_value
from .scopes import Complete, Info, Scope, name_of

PLAIN = {GraphQLString: str, GraphQLBoolean: bool}
"""The scalars that write values of a type as they are."""


def writer(kind: Any) -> Callable[[Any], Any]:
    """Return what writes a leaf: the type's own function, or what does the same faster."""
    write: Callable[[Any], Any] = kind.coerce_output_value
    # The type with UUIDs for values writes by `str`.
    return _write_text if write is str else write


def _write_text(value: Any) -> str:
    return orjson.dumps(value)[1:-1].decode() if type(value) is UUID else str(value)


def leaf(kind: Any) -> Complete:
    """Return what writes a leaf that is not null."""
    write = writer(kind)

    def complete(value: Any, scope: Scope) -> Any:
        written = write(value)
        if written is None or written is Undefined:
            raise TypeError(f"{value!r} is no value of {kind.name}.")
        return written

    return complete


def required_leaf(kind: Any, info: Info) -> Complete:
    """Return what writes a leaf that is required."""
    where, write = name_of(info), writer(kind)

    def complete(value: Any, scope: Scope) -> Any:
        written = None if value is None else write(value)
        if written is None or written is Undefined:
            raise no_value(value, where, kind)
        return written

    return complete
