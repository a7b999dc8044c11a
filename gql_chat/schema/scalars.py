"""The scalars of the schema, as the wire writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NewType

import orjson
import strawberry
from strawberry.schema.types.base_scalars import DateTimeDefinition

from ..json_values import find_problem
from ..times import check_time

UserID = NewType("UserID", object)
"""A user's primary key: a number where it is one, else a string. Inputs take both."""

Timestamp = NewType("Timestamp", datetime)
"""A moment, in ISO 8601, UTC, with a trailing `Z`."""

Until = NewType("Until", object)
"""A moment, as `Timestamp`, or `forever`."""

Archived = NewType("Archived", object)
"""True or false, or `forever`."""

Bytes = NewType("Bytes", int)
"""A size in bytes; GraphQL's own Int ends at 2 GiB."""

JSONObject = NewType("JSONObject", dict)  # type: ignore[type-arg]
"""An object of the client's own making, stored as it is."""

_LARGEST = 2**63 - 1
_FOREVER = "forever"


def _write_user_id(value: Any) -> int | str:
    return value if isinstance(value, int) else str(value)


def _read_user_id(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("A user id is a number or a string.")
    return value


def _write_time(value: datetime) -> str:
    # As the ORM returns it, it is in UTC.
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    if moment.microsecond:
        # The same text, several times faster; where they are 0 it would leave them out.
        return orjson.dumps(moment, option=orjson.OPT_UTC_Z)[1:-1].decode()
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def _read_time(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("A time is a string in ISO 8601.")
    moment = check_time(datetime.fromisoformat(value))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _write_until(value: Any) -> str:
    return value if isinstance(value, str) else _write_time(value)


def _read_until(value: Any) -> datetime | str:
    return _FOREVER if value == _FOREVER else _read_time(value)


def _read_archived(value: Any) -> bool | str:
    if not isinstance(value, bool) and value != _FOREVER:
        raise ValueError("True, false, or `forever` is needed.")
    archived: bool | str = value
    return archived


def _read_date_time(value: Any) -> datetime:
    moment: datetime = DateTimeDefinition.parse_value(value)  # type: ignore[misc]
    return check_time(moment)


def _read_bytes(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError("A size is a whole number from 0 up.")
    return value


def _read_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("An object is needed.")
    problem = find_problem(value)
    if problem is not None:
        raise ValueError(problem)
    return value


SCALARS: dict[object, Any] = {
    UserID: strawberry.scalar(
        name="UserID",
        description="A user's primary key: a number where it is one, else a string.",
        serialize=_write_user_id,
        parse_value=_read_user_id,
    ),
    Timestamp: strawberry.scalar(
        name="Timestamp",
        description="A moment in ISO 8601, UTC, with a trailing Z.",
        serialize=_write_time,
        parse_value=_read_time,
    ),
    Until: strawberry.scalar(
        name="Until",
        description="A moment in ISO 8601, UTC, with a trailing Z; or `forever`.",
        serialize=_write_until,
        parse_value=_read_until,
    ),
    Archived: strawberry.scalar(
        name="Archived",
        description="True or false; or `forever`.",
        serialize=lambda value: value,
        parse_value=_read_archived,
    ),
    # Strawberry's own, but for the times that no database takes.
    datetime: strawberry.scalar(
        name=DateTimeDefinition.name,
        description=DateTimeDefinition.description,
        serialize=datetime.isoformat,
        parse_value=_read_date_time,
    ),
    Bytes: strawberry.scalar(
        name="Bytes",
        description="A size in bytes.",
        serialize=int,
        parse_value=_read_bytes,
    ),
    JSONObject: strawberry.scalar(
        name="JSONObject",
        description="An object of the client's own making.",
        serialize=lambda value: value,
        parse_value=_read_object,
    ),
}

_TEXT = {"type": "string"}

JSON_SCHEMAS: dict[str, dict[str, Any]] = {
    "Boolean": {"type": "boolean"},
    "Int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "Float": {"type": "number"},
    "String": _TEXT,
    "ID": {"anyOf": [_TEXT, {"type": "integer"}]},
    "UUID": {"type": "string", "format": "uuid"},
    "Date": {"type": "string", "format": "date"},
    "DateTime": {"type": "string", "format": "date-time"},
    "Time": {"type": "string", "format": "time"},
    "Decimal": _TEXT,
    "JSON": {},
    "UserID": {"anyOf": [{"type": "integer"}, _TEXT]},
    "Timestamp": {"type": "string", "format": "date-time", "pattern": "Z$"},
    "Until": {
        "anyOf": [
            {"type": "string", "format": "date-time", "pattern": "Z$"},
            {"const": _FOREVER},
        ]
    },
    "Archived": {"anyOf": [{"type": "boolean"}, {"const": _FOREVER}]},
    "Bytes": {"type": "integer", "minimum": 0, "maximum": _LARGEST},
    "JSONObject": {"type": "object"},
}
"""The scalars' values in JSON, by name: GraphQL's own, Strawberry's and these."""
