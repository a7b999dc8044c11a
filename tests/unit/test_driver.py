"""Kept SQL goes the short way to SQLite's driver, and behaves as if it had gone through Django."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from gql_chat.models import driver

pytestmark = pytest.mark.django_db

# As the package has it: `django.db.connection` stands in for it, and is of another type.
connection: Any = connections["default"]

_ADD = driver.SQL("SELECT %s + %s")
_PERCENT = driver.SQL("SELECT %s WHERE 'ab' LIKE 'a%%'")
_BROKEN = driver.SQL("SELECT nothing FROM nowhere WHERE %s = 1")
_SESSIONS = driver.SQL("INSERT INTO django_session VALUES (%s, %s, %s)")


def _insert_session(key: str) -> None:
    now = driver.write_time(connection, datetime.now(UTC))
    driver.run(connection, _SESSIONS, [key, "", now])


def _count_sessions() -> int:
    rows = driver.fetch(connection, driver.SQL("SELECT COUNT(*) FROM django_session"), [])
    count: int = rows[0][0]
    return count


def test_rows_come_as_tuples() -> None:
    assert driver.fetch(connection, _ADD, [1, 2]) == [(3,)]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others go through Django's cursor")
def test_no_cursor_of_django_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else the tests below would compare Django with itself.
    def refuse() -> None:
        raise AssertionError("a cursor was made")

    monkeypatch.setattr(connection, "cursor", refuse)

    assert driver.fetch(connection, _ADD, [1, 2]) == [(3,)]


def test_a_percent_sign_is_one() -> None:
    assert driver.fetch(connection, _PERCENT, [7]) == [(7,)]


def test_what_is_written_is_part_of_the_transaction() -> None:
    with transaction.atomic():
        _insert_session("one")
        stored = _count_sessions()
        transaction.set_rollback(True)

    assert (stored, _count_sessions()) == (1, 0)


def test_an_error_of_the_statement_is_one_of_django() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        driver.fetch(connection, _BROKEN, [1])


def test_a_broken_constraint_is_told_as_django_tells_it() -> None:
    _insert_session("twice")

    with pytest.raises(IntegrityError), transaction.atomic():
        _insert_session("twice")


def test_a_broken_transaction_takes_no_more_statements() -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            driver.fetch(connection, _ADD, [1, 2])


def test_a_log_of_queries_has_them() -> None:
    with CaptureQueriesContext(connection) as queries:
        driver.fetch(connection, _ADD, [1, 2])
        _insert_session("logged")

    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "INSERT"]


def test_a_wrapper_sees_and_may_refuse_them() -> None:
    seen = []

    def refuse(execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        raise OperationalError("not now")

    with connection.execute_wrapper(refuse), pytest.raises(OperationalError):
        driver.run(connection, _ADD, [1, 2])

    assert seen == [_ADD.text]


async def test_an_event_loop_may_not_wait_for_them() -> None:
    with pytest.raises(SynchronousOnlyOperation):
        driver.fetch(connection, _ADD, [1, 2])


@pytest.mark.django_db(transaction=True)
def test_a_closed_connection_is_opened() -> None:
    connection.close()

    assert driver.fetch(connection, _ADD, [1, 2]) == [(3,)]


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))])
@pytest.mark.parametrize("microsecond", [0, 12])
def test_a_time_is_written_as_django_writes_it(zone: Any, microsecond: int) -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=zone)

    assert driver.write_time(connection, time) == connection.ops.adapt_datetimefield_value(time)
