"""Completion: values that may be null or not, lists, and objects that an answer has twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphql.pyutils import is_iterable

from .errors import null
from .results import is_unsettled, settle
from .scopes import Complete, Info, Scope, name_of


def nullable(complete: Complete) -> Complete:
    """Return what completes a value that may be null."""
    return lambda value, scope: None if value is None else complete(value, scope)


def required(complete: Complete, info: Info) -> Complete:
    """Return what completes a value that must not be null."""
    where = name_of(info)

    def complete_required(value: Any, scope: Scope) -> Any:
        if value is None:
            raise null(where)
        return complete(value, scope)

    return complete_required


def each_optional(complete: Complete, info: Info) -> Complete:
    """Return what completes a list of values; `complete` judges those that are null."""
    where = name_of(info)

    def complete_each(values: Any, scope: Scope) -> list[Any]:
        return [
            complete(settle(value, where) if is_unsettled(type(value)) else value, scope)
            for value in _iterable(values, where)
        ]

    return complete_each


def each_required(complete: Complete, info: Info) -> Complete:
    """Return what completes a list of values none of which may be null."""
    where = name_of(info)

    def complete_each(values: Any, scope: Scope) -> list[Any]:
        completed = []
        for value in _iterable(values, where):
            item = settle(value, where) if is_unsettled(type(value)) else value
            if item is None:
                raise null(where)
            completed.append(complete(item, scope))
        return completed

    return complete_each


def _iterable(values: Any, where: str) -> Iterable[Any]:
    if type(values) is not list and not is_iterable(values):
        raise TypeError(f"{where} returned {type(values).__name__!r}, which is no list.")
    found: Iterable[Any] = values
    return found
