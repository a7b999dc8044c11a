"""The decorator of operations: each is one transaction, run again where it is broken off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

from .. import streams

Method = TypeVar("Method", bound=Callable[..., Any])


def operation(method: Method) -> Method:
    """Decorate a method that writes: it is one transaction (`streams.run`).

    Where the database breaks that off for another one, the method is called again. An argument
    `content` is cleaned before the transaction: cleaning may take long, and locks hold others up.
    """
    names = list(signature(method).parameters)
    place = names.index("content") - 1 if "content" in names else None

    @wraps(method)
    def perform(self: Any, *args: Any, **kwargs: Any) -> Any:
        # An iterator can be gone through only once. A list lasts for a second try.
        args = tuple(map(_lasting, args))
        kwargs = {name: _lasting(value) for name, value in kwargs.items()}
        if place is not None:
            content = args[place] if place < len(args) else kwargs.get("content")
            if content:
                self.prepare_content(content)

        def attempt() -> Any:
            vars(self).pop("user", None)
            return method(self, *args, **kwargs)

        return streams.run(attempt)

    return cast(Method, perform)


def _lasting(value: Any) -> Any:
    return list(value) if isinstance(value, Iterator) else value
