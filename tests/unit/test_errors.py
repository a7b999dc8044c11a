"""What clients see of what went wrong."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    transaction,
)

from gql_chat import errors
from gql_chat.errors import ChatError, ExceptionHandler
from gql_chat.models import Membership, Reaction, Room
from tests.conftest import Users


def handle(error: BaseException) -> ChatError:
    return ExceptionHandler().handle(error)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.NotAuthenticated, 4001),
        (errors.PermissionDenied, 4002),
        (errors.Invalid, 4003),
        (errors.NotFound, 4004),
        (errors.Conflict, 4005),
        (errors.Bug, 4006),
        (errors.RateLimited, 4029),
        (errors.Unavailable, 4503),
    ],
)
def test_errors_of_our_own_are_answered_as_they_are(kind: type[ChatError], code: int) -> None:
    error = kind({"field": "a problem"})

    assert handle(error) is error
    assert error.extensions == {"code": code, "detail": {"field": "a problem"}}


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ValidationError("wrong"), ["wrong"]),
        (ValidationError(["one", "other"]), ["one", "other"]),
        (ValidationError({"content": "wrong"}), {"content": ["wrong"]}),
        (ValidationError("%(a)s", params={"a": 1}), ["1"]),
    ],
)
def test_djangos_validation_errors_keep_their_words(error: ValidationError, detail: Any) -> None:
    handled = handle(error)
    assert (handled.code, handled.detail) == (4003, detail)


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
def test_a_database_that_is_away_is_an_invitation_to_repeat(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    handled = handle(error)

    assert handled.code == 4503
    assert isinstance(handled.detail, dict)
    assert handled.detail["retry_after"] > 0
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("error", [ValueError("a secret"), DatabaseError("SELECT a secret")])
def test_a_bug_is_logged_without_its_text_and_nothing_of_it_told(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise error
    except type(error):
        handled = handle(error)

    assert handled.code == 4006
    assert "secret" not in str(handled.detail)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[2] is error.__traceback__
    assert f"{type(error).__name__}\n" in f"{caplog.text}\n"
    assert "secret" not in caplog.text


def test_a_duplicate_is_a_conflict(users: Users, committed_database: None) -> None:
    user = users()
    (room,) = Room.objects.bulk_create([Room(type="Channel", max_subscribers=1, is_public=True)])
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Membership.objects.bulk_create([Membership(room=room, user=user) for _ in range(2)])

    assert handle(caught.value).code == 4005


def test_what_refers_to_nothing_any_more_is_not_found(
    users: Users, committed_database: None
) -> None:
    lost = Reaction(message_id=uuid4(), user=users(), reaction_content="+1")
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Reaction.objects.bulk_create([lost])

    assert handle(caught.value).code == 4004


def test_a_project_adds_codes_of_its_own() -> None:
    class TooLate(ChatError):
        code = 4800

    class Handler(ExceptionHandler):
        def handle(self, error: BaseException) -> ChatError:
            return TooLate("late") if isinstance(error, TimeoutError) else super().handle(error)

    assert Handler().handle(TimeoutError()).extensions == {"code": 4800, "detail": "late"}
    assert Handler().handle(errors.NotFound("gone")).code == 4004
