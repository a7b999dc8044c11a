"""What the log says of an error: its class and its place, and no text that may quote somebody."""

import logging
import traceback
from typing import Any

import psycopg
import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.test import override_settings

from gql_chat.failures import bare, outline

SECRET = "the launch is at dawn"


class Unlucky(Exception):
    """An error of a project's own, which quotes."""


def catch(fail: Any) -> BaseException:
    try:
        fail()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def shown(error: BaseException) -> str:
    """What a formatter of the standard library writes of it."""
    return "".join(traceback.format_exception(bare(error)))


def fail_deep() -> None:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(SECRET) from error
    except ValueError:
        raise Unlucky(SECRET, {"content": SECRET})  # noqa: B904 (a context without a cause)


def test_a_traceback_names_classes_and_places_and_quotes_nothing() -> None:
    error = catch(fail_deep)
    error.add_note(SECRET)
    text = shown(error)

    assert SECRET not in text
    for line in (
        "KeyError\n",
        "ValueError\n",
        "tests.unit.test_failures.Unlucky\n",
        "The above exception was the direct cause",
        "During handling of the above exception",
        "in fail_deep\n",
    ):
        assert line in text
    # As it was, so that whoever raised it can go on with it.
    assert str(error.__cause__ or error.__context__) == SECRET


def test_what_was_suppressed_stays_so() -> None:
    def fail() -> None:
        try:
            raise KeyError(SECRET)
        except KeyError:
            raise Unlucky(SECRET) from None

    assert "KeyError" not in shown(catch(fail))


def test_causes_in_a_circle_and_without_end_have_one() -> None:
    one, other = Unlucky(SECRET), ValueError(SECRET)
    one.__cause__, other.__cause__ = other, one
    assert shown(one).count("Unlucky") == 1

    last: Exception = Unlucky(SECRET)
    for _ in range(5000):
        cause, last = last, Unlucky(SECRET)
        last.__cause__ = cause
    assert shown(last).count("Unlucky") == 21


def test_each_error_of_a_group_is_named() -> None:
    text = shown(ExceptionGroup(SECRET, [KeyError(SECRET), Unlucky(SECRET)]))

    assert SECRET not in text
    assert "KeyError" in text
    assert "Unlucky" in text


def test_handlers_take_it_as_any_exception(caplog: pytest.LogCaptureFixture) -> None:
    error = catch(fail_deep)

    logging.getLogger("gql_chat").error("It failed.", exc_info=bare(error))

    (record,) = caplog.records
    assert record.exc_info is not None
    kind = record.exc_info[0]
    assert kind is not None
    assert (kind.__module__, kind.__qualname__) == (__name__, "Unlucky")
    assert record.exc_info[2] is error.__traceback__


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Unlucky(SECRET), "tests.unit.test_failures.Unlucky"),
        (KeyError(SECRET), "KeyError"),
        (OSError(SECRET), "OSError"),
        (ConnectionRefusedError(111, "refused"), "ConnectionRefusedError: [Errno 111] refused"),
        (TimeoutError(), "TimeoutError"),
        (
            ImproperlyConfigured("no such\nthing"),
            "django.core.exceptions.ImproperlyConfigured: no such",
        ),
        (redis.ConnectionError("refused"), "redis.exceptions.ConnectionError: refused"),
        (redis.ResponseError(SECRET), "redis.exceptions.ResponseError"),
        (redis.DataError(SECRET), "redis.exceptions.DataError"),
        (OperationalError(SECRET), "django.db.utils.OperationalError"),
        (DatabaseError(SECRET), "django.db.utils.DatabaseError"),
        (redis.ConnectionError("x" * 500), f"redis.exceptions.ConnectionError: {'x' * 199}…"),
    ],
    ids=str,
)
def test_a_few_words_tell_what_quotes_nobody(error: Exception, text: str) -> None:
    assert outline(error) == text


def test_a_driver_that_reaches_no_server_says_so() -> None:
    error = OperationalError("connection refused")
    error.__cause__ = psycopg.OperationalError("connection refused")

    assert outline(error) == "django.db.utils.OperationalError: connection refused"


@pytest.mark.django_db
def test_an_error_of_the_database_is_told_by_its_code() -> None:
    def fail() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'SELECT "{SECRET}.x" FROM nowhere')

    error = catch(fail)
    assert outline(error) in (
        "django.db.utils.ProgrammingError: SQLSTATE 42P01",
        "django.db.utils.OperationalError: SQLITE_ERROR",
    )
    assert SECRET not in shown(error)


@pytest.mark.django_db
def test_a_row_that_a_constraint_refuses_is_not_quoted(users: Any) -> None:
    user = users()

    def fail() -> None:
        with transaction.atomic():
            type(user).objects.create(username=user.username, first_name=SECRET)

    error = catch(fail)
    assert isinstance(error, IntegrityError)
    assert SECRET not in shown(error)


def test_with_debug_everything_is_shown() -> None:
    error = catch(fail_deep)
    with override_settings(DEBUG=True):
        assert bare(error) is error
        assert outline(KeyError(SECRET)) == f"KeyError: '{SECRET}'"
