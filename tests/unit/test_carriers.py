"""Statements that wait for the next one are executed as if they had not waited."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test.utils import CaptureQueriesContext

from gql_chat import streams
from gql_chat.errors import Conflict, ExceptionHandler, sqlstate
from gql_chat.models import GroupChat, Message, Reaction
from gql_chat.sql.carriers import Carrier, carrying, fetch_together
from tests.conftest import Users
from tests.unit.tap import Tap, tapped

pytestmark = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="only PostgreSQL is behind a wire"
)


@pytest.fixture(scope="module")
def tap(committed_database: None) -> Iterator[Tap]:
    with tapped() as tap:
        yield tap


@pytest.fixture
def message(tap: Tap) -> Message:
    (alice,) = Users(lambda work, *args, **kwargs: work(*args, **kwargs)).make("alice")
    group = GroupChat.objects.create(name="group", creator=alice)
    return Message.objects.create(room=group, sender=alice, content="hello")


@pytest.fixture
def carrier(message: Message) -> Iterator[Carrier]:
    """A carrier of reactions, in a transaction that nothing is left of."""
    with transaction.atomic():
        with carrying(connection, [Reaction]) as carrier:
            yield carrier
        transaction.set_rollback(True)


def react(message: Message, content: str = "+1", user: Any = None) -> Reaction:
    user_id = message.sender_id if user is None else user.pk
    return Reaction(message=message, user_id=user_id, reaction_content=content)


def other() -> Any:
    (user,) = Users(lambda work, *args, **kwargs: work(*args, **kwargs)).make("other")
    return user


def insert(reaction: Reaction) -> None:
    """Insert a reaction, of which no receiver hears."""
    reaction.save_base(raw=True, force_insert=True)


def show(name: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


def test_what_is_held_goes_with_the_next_statement(tap: Tap, message: Message) -> None:
    before = tap.round_trips
    with transaction.atomic(), carrying(connection, [Reaction]) as carrier:
        carrier.ahead("SET LOCAL lock_timeout = 1234")
        assert show("lock_timeout") == "1234ms"
        assert tap.round_trips - before == 1
        insert(react(message))
        carrier.ahead("SELECT 1")
        assert tap.round_trips - before == 1
        assert Reaction.objects.filter(message=message).count() == 1
        assert tap.round_trips - before == 2
    assert tap.round_trips - before == 3  # with COMMIT

    assert Reaction.objects.filter(message=message).count() == 1
    assert show("lock_timeout") == "0"


def test_nothing_is_stored_of_a_transaction_that_fails(tap: Tap, message: Message) -> None:
    with transaction.atomic(), carrying(connection, [Reaction]) as carrier:
        insert(react(message))
        carrier.flush()
        transaction.set_rollback(True)

    assert not Reaction.objects.filter(message=message).exists()
    assert connection.get_autocommit()


def test_rows_of_what_was_held_are_there_when_they_are_wanted(carrier: Carrier) -> None:
    one, two = carrier.ahead("SELECT 1, %s", ["a"]), carrier.ahead("SELECT 2")

    assert show("server_encoding") == "UTF8"
    assert one.rows() == [(1, "a")]
    assert two.rows() == [(2,)]
    assert carrier.ahead("SELECT 3").rows() == [(3,)]


def test_row_counts_are_those_of_each_statement(carrier: Carrier, message: Message) -> None:
    insert(react(message))

    assert Reaction.objects.filter(message=message).update(reaction_content="-1") == 1
    insert(react(message, "x", other()))
    assert Reaction.objects.filter(message=message).delete()[0] == 2


def test_the_error_of_what_was_held_is_that_of_the_statement_that_carries_it(
    carrier: Carrier, message: Message
) -> None:
    insert(react(message))
    insert(react(message))

    with pytest.raises(IntegrityError):
        Reaction.objects.count()

    connection.needs_rollback = False
    with pytest.raises(DatabaseError):  # the transaction has failed, as ever
        Reaction.objects.count()


def test_flushing_raises_the_error(carrier: Carrier, message: Message) -> None:
    insert(react(message))
    insert(react(message))

    with pytest.raises(IntegrityError):
        carrier.flush()


def test_an_error_inside_a_savepoint_undoes_that_alone(carrier: Carrier, message: Message) -> None:
    insert(react(message))
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(react(message))

    assert Reaction.objects.filter(message=message).count() == 1


def test_what_is_held_in_a_savepoint_is_undone_with_it(carrier: Carrier, message: Message) -> None:
    insert(react(message))
    with transaction.atomic():
        insert(react(message))  # would be refused
        transaction.set_rollback(True)

    assert Reaction.objects.filter(message=message).count() == 1


def react_twice(message: Message) -> None:
    with transaction.atomic(), carrying(connection, [Reaction]) as carrier:
        carrier.ahead("SET LOCAL lock_timeout = 1234")
        insert(react(message))
        insert(react(message))
        carrier.flush()


def test_the_connection_is_usable_after_an_error(tap: Tap, message: Message) -> None:
    for _ in range(2):
        with pytest.raises(IntegrityError):
            react_twice(message)
        assert connection.is_usable()
        assert Reaction.objects.filter(message=message).count() == 0
        with transaction.atomic(), carrying(connection, [Reaction]):
            assert show("lock_timeout") == "0"


def lock_ahead(message: Message) -> None:
    with transaction.atomic(), carrying(connection) as carrier:
        carrier.ahead("SET LOCAL lock_timeout = 1")
        carrier.ahead("SELECT 1 FROM gql_chat_message WHERE id = %s FOR UPDATE", [message.pk])
        Message.objects.count()


def test_a_held_lock_that_is_waited_for_too_long_is_an_operational_error(
    tap: Tap, message: Message
) -> None:
    beside = connections.create_connection("default")
    try:
        with beside.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM gql_chat_message WHERE id = %s FOR UPDATE", [message.pk])
        with pytest.raises(OperationalError) as caught:
            lock_ahead(message)
    finally:
        beside.close()

    assert sqlstate(caught.value) == "55P03"


def test_statements_that_carry_nothing_are_executed_after_what_is_held(
    carrier: Carrier, message: Message
) -> None:
    insert(react(message))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2")
    insert(react(message, "x", other()))
    assert len(list(Reaction.objects.filter(message=message).iterator())) == 2
    carrier.ahead("SELECT 1")
    with connection.cursor() as cursor:
        cursor.executemany("SELECT %s", [[1], [2]])
    assert Reaction.objects.filter(message=message).count() == 2


def test_a_wrapper_of_the_projects_sees_each_statement_in_its_place(message: Message) -> None:
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql.split()[0])
        return execute(sql, params, many, context)

    someone = other()
    with (
        connection.execute_wrapper(note),
        transaction.atomic(),
        carrying(connection, [Reaction]) as carrier,
    ):
        carrier.ahead("SET LOCAL lock_timeout = 1234")
        insert(react(message))
        Reaction.objects.count()
        assert seen == ["SET", "INSERT", "SELECT"]
        with connection.execute_wrapper(note):
            insert(react(message, "x", someone))  # not held: both see it executed
        assert seen[3:] == ["INSERT", "INSERT"]

    assert Reaction.objects.filter(message=message).count() == 2


def test_a_log_of_queries_has_each_statement(carrier: Carrier, message: Message) -> None:
    with CaptureQueriesContext(connection) as queries:
        carrier.ahead("SET LOCAL lock_timeout = 1234")
        insert(react(message))
        Reaction.objects.count()

    assert [query["sql"].split()[0] for query in queries] == ["SET", "INSERT", "SELECT"]


def test_a_transaction_keeps_its_isolation(tap: Tap, message: Message) -> None:
    driver = connection.connection
    driver.isolation_level = 4  # SERIALIZABLE
    try:
        with transaction.atomic(), carrying(connection) as carrier:
            carrier.ahead("SET LOCAL lock_timeout = 1234")
            assert show("transaction_isolation") == "serializable"
    finally:
        driver.isolation_level = None


def test_what_is_fetched_together_is_one_round_trip(tap: Tap, message: Message) -> None:
    before = tap.round_trips

    found = fetch_together(connection, [("SELECT '%'", None), ("SELECT %s, '%%'", ["a;"])])

    assert found == [[("%",)], [("a;", "%")]]
    assert tap.round_trips - before == 1
    with pytest.raises(DatabaseError, match="nothing"):
        fetch_together(connection, [("SELECT 1", ()), ("SELECT nothing", ())])
    assert connection.is_usable()


def test_what_is_fetched_together_carries_what_is_held(tap: Tap, message: Message) -> None:
    before = tap.round_trips
    with transaction.atomic(), carrying(connection, [Reaction]):
        insert(react(message))
        reactions = "SELECT COUNT(*) FROM gql_chat_reaction WHERE message_id = %s"
        found = fetch_together(connection, [(reactions, [message.pk]), ("SELECT 2", ())])
        assert tap.round_trips - before == 1

    assert found == [[(1,)], [(2,)]]


@pytest.mark.parametrize("level", [None, 4])
def test_what_an_operation_did_before_it_failed_is_undone(
    level: int | None, message: Message
) -> None:
    connection.connection.isolation_level = level
    try:
        with pytest.raises(ZeroDivisionError):
            streams.run(lambda: (insert(react(message)), Reaction.objects.count(), 1 // 0))
    finally:
        connection.connection.isolation_level = None

    assert not Reaction.objects.filter(message=message).exists()
    assert connection.get_autocommit()


def test_an_operation_that_writes_nothing_but_inserts_writes_them(message: Message) -> None:
    with streams.transaction():
        insert(react(message))

    assert Reaction.objects.filter(message=message).count() == 1


def test_an_operation_ends_with_the_error_of_what_it_held(message: Message) -> None:
    def react_twice() -> None:
        with streams.transaction():
            insert(react(message))
            insert(react(message))

    with pytest.raises(IntegrityError):
        react_twice()

    assert not Reaction.objects.filter(message=message).exists()


def refuse(*_: Any) -> None:
    raise ValueError("no queries here")


def fail(how: str) -> None:
    """Have a statement fail that never gets to the database, or is not understood there."""
    with connection.cursor() as cursor:
        if how == "a wrapper refuses":
            with connection.execute_wrapper(refuse):
                cursor.execute("SELECT 1")
        cursor.execute(*{"a value": ("SELECT %s", ["\0"]), "syntax": ("SELEC 1",)}[how])


@pytest.mark.parametrize("how", ["a value", "syntax", "a wrapper refuses"])
def test_a_first_statement_that_fails_takes_neither_the_transaction_nor_what_was_held(
    tap: Tap, message: Message, how: str
) -> None:
    someone = other()
    with transaction.atomic(), carrying(connection, [Reaction]) as carrier:
        carrier.ahead("SET LOCAL lock_timeout = 1234")
        insert(react(message))
        with pytest.raises((DatabaseError, ValueError)):
            fail(how)
        insert(react(message, "x", someone))
        assert Reaction.objects.filter(message=message).count() == 2
        assert show("lock_timeout") == "1234ms"
        transaction.set_rollback(True)

    assert not Reaction.objects.filter(message=message).exists()
    assert connection.get_autocommit()


def test_what_a_wrapper_refused_to_carry_is_still_held(carrier: Carrier, message: Message) -> None:
    show("lock_timeout")
    insert(react(message))
    with pytest.raises(ValueError, match="no queries"):
        fail("a wrapper refuses")

    assert Reaction.objects.filter(message=message).count() == 1


def test_cursors_of_the_server_are_those_of_a_transaction(
    carrier: Carrier, message: Message
) -> None:
    """A holdable one, as without a transaction, could not lock."""
    carrier.ahead("SELECT 1")
    show("lock_timeout")

    assert message in Message.objects.select_for_update().iterator()


def test_values_are_stored_as_they_were(carrier: Carrier) -> None:
    values = ["a"]
    held = carrier.ahead("SELECT %s::text[]", [values])
    values.append("b")

    assert held.rows() == [(["a"],)]


@pytest.mark.parametrize("goes_on", [True, False])
def test_an_error_of_what_was_held_that_a_receiver_took_for_its_own_is_raised_again(
    message: Message, goes_on: bool
) -> None:
    def react_twice() -> None:
        insert(react(message))
        insert(react(message))
        try:
            with transaction.atomic():
                Reaction.objects.count()
        except IntegrityError:  # where the receiver's own row may be there already
            pass
        if goes_on:
            insert(react(message))
            Reaction.objects.count()

    with pytest.raises(IntegrityError) as caught:
        streams.run(react_twice)

    assert isinstance(ExceptionHandler().handle(caught.value), Conflict)
    assert not Reaction.objects.filter(message=message).exists()
    assert connection.is_usable()


def test_an_error_that_was_undone_is_not_raised_again(message: Message) -> None:
    def react_again() -> None:
        with transaction.atomic():
            insert(react(message))
            Reaction.objects.count()

    with streams.transaction():
        insert(react(message))
        with pytest.raises(IntegrityError):
            react_again()

    assert Reaction.objects.filter(message=message).count() == 1
