"""The errors that chat operations raise, each with the code that clients see."""

from __future__ import annotations

import logging
from numbers import Number
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, InterfaceError, OperationalError

from .failures import bare, outline
from .failures import sqlstate as sqlstate
from .tables import report_missing

logger = logging.getLogger("gql_chat")

Detail = str | list[Any] | dict[str, Any]

ECHO_LENGTH = 100
"""How many characters of a client's input an error shows at most."""

_MESSAGE_LENGTH = 2 * ECHO_LENGTH
_PROBLEMS = 50

RETRY_AFTER = 2
"""Seconds after which a client may repeat an event that failed because a server was away."""

LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's code for a lock that was not free in time."""


def shorten(text: str, length: int = _MESSAGE_LENGTH) -> str:
    """Return a text that may have a client's input in it, cut if it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def excerpt(text: str) -> str:
    """Return a text of another library's, in which a client's input may be anywhere.

    Of a long one the middle is left out: the end may say what is wrong with the beginning.
    """
    if len(text) <= ECHO_LENGTH:
        return text
    start = ECHO_LENGTH // 2
    return f"{text[: start - 1]}…{text[start - ECHO_LENGTH :]}"


def quote(value: Any) -> str:
    """Return a client's input in the form that an error shows."""
    return shorten(repr(value), ECHO_LENGTH)


class ChatError(Exception):
    """An answer to the client instead of a result.

    Attributes:
        code: the protocol's number for this kind of error.
        is_passing: whether the same event may succeed later; `detail` then has a `message` and
            `retry_after`, in seconds.
        detail: a sentence, or a list or dict of them keyed by field.
    """

    code: ClassVar[int] = 4006
    is_passing: ClassVar[bool] = False

    def __init__(self, detail: Detail) -> None:
        super().__init__(detail if isinstance(detail, str) else str(detail))
        self.detail = detail

    @property
    def sentence(self) -> str:
        """The detail as one line of text, for messages that can hold no more."""
        if isinstance(self.detail, dict):
            return "; ".join(f"{field}: {problem}" for field, problem in self.detail.items())
        return str(self)

    @property
    def extensions(self) -> dict[str, Any]:
        """The `extensions` of the error in GraphQL."""
        return {"code": self.code, "detail": self.detail}


class NotAuthenticated(ChatError):
    """The user is gone, deactivated or never logged in."""

    code = 4001


class PermissionDenied(ChatError):
    """The user may not do this here."""

    code = 4002


class Invalid(ChatError):
    """A field has the wrong type or value, or a rule is broken.

    The detail names a field within another by its path: `{"a": {"b": …}}` becomes `{"a.b": …}`. A
    client may have made up the names of fields, as many and as long as it liked. So the detail has
    only the first ones, and only the start of long ones.
    """

    code = 4003

    def __init__(self, detail: Detail) -> None:
        super().__init__(_flatten(detail) if isinstance(detail, dict) else detail)


def _flatten(detail: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for field, problem in detail.items():
        if len(flat) >= _PROBLEMS:
            break
        name = shorten(f"{path}.{field}" if path else str(field))
        flat.update(_flatten(problem, name) if isinstance(problem, dict) else {name: problem})
    return flat


class NotFound(ChatError):
    """There is no such room, message or user."""

    code = 4004


class Conflict(ChatError):
    """A constraint forbids this duplicate."""

    code = 4005


class Bug(ChatError):
    """Something of ours failed; the log has the traceback, the client none of it."""

    code = 4006


class RateLimited(ChatError):
    """Too many events in too short a time; `detail` carries `retry_after` in seconds."""

    code = 4029
    is_passing = True


class Unavailable(ChatError):
    """The database or the channel layer is away; `detail` carries `retry_after` in seconds."""

    code = 4503
    is_passing = True


class Again(Unavailable):
    """Another transaction changed what an operation relied on, so it has to run again.

    The package runs it again by itself. A caller sees this error only inside a transaction of its
    own, which the package cannot run again.
    """

    def __init__(self, message: str) -> None:
        super().__init__({"message": message, "retry_after": RETRY_AFTER})


class Busy(Unavailable):
    """A row that the operation needs, usually a room, was locked for longer than `LOCK_TIMEOUT`.

    Nothing of the operation is stored. A later attempt may find the row free.
    """

    def __init__(self, detail: Detail | None = None) -> None:
        waiting = {"message": "Others are at work here. Try again.", "retry_after": RETRY_AFTER}
        super().__init__(waiting if detail is None else detail)


class ExceptionHandler:
    """Turns any error of an operation into the error that a client sees.

    A project subclasses it (`EXCEPTION_HANDLER_CLASS`) to add codes of its own.
    """

    def handle(self, error: BaseException) -> ChatError:
        """Return the `ChatError` for `error`; log it unless it is the client's fault.

        The log gets no text of an exception that may quote a message: see `failures`.
        """
        if isinstance(error, ChatError):
            return error
        if isinstance(error, DjangoValidationError):
            if hasattr(error, "error_dict"):
                return Invalid(
                    {
                        name: [sentence for each in errors for sentence in sentences(each)]
                        for name, errors in error.error_dict.items()
                    }
                )
            return Invalid(sentences(error))
        if isinstance(error, IntegrityError):
            if refers_to_nothing(error):
                return NotFound("Something that this refers to is gone.")
            return Conflict("This exists already.")
        if isinstance(error, OperationalError) and sqlstate(error) == LOCK_NOT_AVAILABLE:
            return Busy()
        if report_missing(error):
            return Unavailable(
                {"message": "The server is not ready yet.", "retry_after": RETRY_AFTER}
            )
        if isinstance(error, OperationalError | InterfaceError):
            logger.warning("The database did not answer: %s", outline(error))
            return Unavailable(
                {"message": "The server cannot store this now.", "retry_after": RETRY_AFTER}
            )
        logger.error("An operation failed.", exc_info=bare(error))
        return Bug("Something went wrong on our side.")


def sentences(error: DjangoValidationError, value: Any = None) -> list[Any]:
    """Return the messages of an error of Django's, with little of the wrong value in them.

    Args:
        error: the error, without a dict of errors.
        value: the value that is wrong, if it is known: a message may repeat it as its own words.
    """
    return [_write(each, value) for each in error.error_list]


def _write(error: DjangoValidationError, value: Any) -> str:
    text = str(error.message)
    if error.params:
        text %= {name: _cut(each) for name, each in error.params.items()}
    if isinstance(value, str) and len(value) > ECHO_LENGTH:
        text = text.replace(value, shorten(value, ECHO_LENGTH))
    return shorten(text)


def _cut(value: Any) -> Any:
    """Return a part of a message, which may be a client's value of any length."""
    if isinstance(value, Number):
        return value  # a message may count by it
    return shorten(str(value), ECHO_LENGTH)


def refers_to_nothing(error: BaseException) -> bool:
    """Return whether an error of the database is that of a foreign key whose target is gone."""
    if not isinstance(error, IntegrityError):
        return False
    # SQLSTATE 23503 of PostgreSQL, or the text of SQLite's error.
    return sqlstate(error) == "23503" or "FOREIGN KEY" in str(error)
