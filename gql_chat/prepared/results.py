"""Results: what resolvers return, which may be no value yet."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from inspect import iscoroutine, iscoroutinefunction
from typing import Any

from graphql import Undefined

from .errors import Unplannable


def synchronous(function: Any, where: str) -> Callable[..., Any]:
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


is_unsettled: Callable[[Any], bool] = lru_cache(1000)(_find_unsettled)
"""Tells whether values of a class are no results yet: errors, coroutines, the lack of one."""


def is_awaitable(value: Any) -> bool:
    """Tell whether a value would have to be awaited."""
    return hasattr(type(value), "__await__")


def settle(value: Any, where: str) -> Any:
    """Return what a value stands for, as graphql-core takes it.

    Raises:
        TypeError: it is a coroutine, or the like, which nobody waits for.
        Exception: it is one.
    """
    if isinstance(value, Exception):
        raise value
    if is_awaitable(value):
        if iscoroutine(value):
            value.close()
        raise TypeError(
            f"{where} returned {type(value).__name__!r}, which would have to be awaited; "
            "operations run on a database thread."
        )
    return None if value is Undefined else value
