"""Failures: the log says of what kind an error is and where it arose, but not its text.

The text of an exception may quote what somebody wrote: `ValueError: cannot translate 'Dear Bob'`. A
log is kept for longer than a message, and read by others. So the package logs exceptions without
their texts, with their classes, their tracebacks and the database's code. Texts that quote nothing
stay: those of drivers that reach no server, and those about a project's settings.

With `DEBUG` everything is shown, as Django then shows everything.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError

_LENGTH = 200
_DEEPEST = 20
"""How many causes of each other are told of."""

_CLIENTS = ("redis.",)
"""Modules whose `ConnectionError` and `TimeoutError` speak of a connection alone."""


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code for the cause of a Django error; None if there is none.

    psycopg calls it `sqlstate`, psycopg2 `pgcode`.
    """
    cause = error.__cause__
    state: str | None = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return state


def outline(error: BaseException) -> str:
    """Return an error in a few words: its class, and what it says if that quotes nobody."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    said = _find_text(error)
    return f"{name}: {said}" if said else name


def bare(error: BaseException) -> BaseException:
    """Return an error for the log's `exc_info`: with its traceback and its causes, without texts.

    It is another object, of a class of the same name.
    """
    return error if settings.DEBUG else _strip(error, {}, _DEEPEST)


def _strip(error: BaseException, known: dict[int, BaseException], levels: int) -> BaseException:
    if id(error) in known:
        return known[id(error)]
    kind = type(error)
    said = _find_text(error)
    made: dict[str, Any] = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__str__": lambda _: said,
    }
    if isinstance(error, BaseExceptionGroup) and levels:
        inside = [_strip(each, known, levels - 1) for each in error.exceptions]
        stripped: BaseException = BaseExceptionGroup("several errors", inside)
    else:
        stripped = type(kind.__name__, (Exception,), made)()
    known[id(error)] = stripped
    for name in ("__cause__", "__context__") if levels else ():
        inner = getattr(error, name)
        setattr(stripped, name, None if inner is None else _strip(inner, known, levels - 1))
    stripped.__suppress_context__ = error.__suppress_context__
    return stripped.with_traceback(error.__traceback__)


def _find_text(error: BaseException) -> str:
    """Return what may be told of an error's text; an empty text for nothing."""
    if settings.DEBUG or isinstance(error, ImproperlyConfigured):
        return _cut(str(error))
    if isinstance(error, DatabaseError | InterfaceError):
        return _find_databases_text(error)
    if isinstance(error, OSError) and error.strerror is not None:
        return _cut(f"[Errno {error.errno}] {error.strerror}")
    return _cut(str(error)) if _is_of_a_client(type(error)) else ""


def _find_databases_text(error: BaseException) -> str:
    """Return the code of a database's error; what a driver says that reaches no server."""
    if (state := sqlstate(error)) is not None:
        return f"SQLSTATE {state}"
    cause = error.__cause__
    name: str | None = getattr(cause, "sqlite_errorname", None)
    is_a_drivers = cause is not None and type(cause).__module__.startswith("psycopg")
    text = str(error) if is_a_drivers and isinstance(error, OperationalError) else ""
    return name or _cut(text)


def _is_of_a_client(kind: type) -> bool:
    return any(
        base.__module__.startswith(_CLIENTS)
        and base.__name__ in ("ConnectionError", "TimeoutError")
        for base in kind.__mro__
    )


def _cut(text: str) -> str:
    line = next(iter(text.splitlines()), "")
    return line if len(line) <= _LENGTH else line[: _LENGTH - 1] + "…"
