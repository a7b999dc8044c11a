"""Where migrations have not run, the log says so once, and no traceback."""

import logging
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError, connection, transaction

from gql_chat import tables
from gql_chat.errors import ExceptionHandler
from gql_chat.models import get_model
from gql_chat.tables import find_missing, report_missing


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has said nothing yet."""
    monkeypatch.setattr(tables, "_told", [])


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def fail(work: Any) -> Exception:
    """Return the error of a query, in a savepoint of its own."""
    with pytest.raises((OperationalError, ProgrammingError)) as raised, transaction.atomic():
        work()
    error: Exception = raised.value
    return error


@pytest.mark.django_db
def test_a_table_of_a_model_that_is_not_there_means_migrate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = get_model("Reaction")
    table = model._meta.db_table
    execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    errors = [fail(model.objects.first), fail(lambda: model.objects.filter(pk=None).delete())]
    errors += [fail(lambda: execute(f"DELETE FROM {table}"))]

    assert {find_missing(error) for error in errors} <= {f"table {table}", None}
    assert [ExceptionHandler().handle(error).code for error in errors[::2]] == [4503, 4503]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    assert table in record.getMessage()
    assert "manage.py migrate" in record.getMessage()


@pytest.mark.django_db
def test_a_column_of_a_model_that_is_not_there_means_migrate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = get_model("Reaction")
    table = model._meta.db_table
    execute(f"ALTER TABLE {table} RENAME COLUMN reaction_content TO elsewhere")
    errors = [
        fail(model.objects.first),
        fail(lambda: model.objects.filter(reaction_content="x").exists()),
        fail(lambda: execute(f"INSERT INTO {table} (reaction_content) VALUES ('x')")),
    ]

    assert {find_missing(error) for error in errors} == {"column reaction_content"}
    assert [report_missing(error) for error in errors] == [True] * 3
    assert len(caplog.records) == 1


@pytest.mark.django_db
def test_a_name_that_no_model_has_is_a_bug_as_before(caplog: pytest.LogCaptureFixture) -> None:
    table = get_model("Reaction")._meta.db_table
    errors = [
        fail(lambda: execute("SELECT * FROM no_such_thing")),
        fail(lambda: execute(f"SELECT no_such_thing FROM {table}")),
        fail(lambda: execute("SELECT FROM WHERE")),
        ValueError(f"no such table: {table}"),
        OperationalError("the database is away"),
    ]

    assert [find_missing(error) for error in errors] == [None] * len(errors)
    assert not any(report_missing(error) for error in errors)
    assert caplog.records == []
