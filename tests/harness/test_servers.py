from collections.abc import Callable, Iterator

import psycopg
import pytest
import redis as redis_client

from tests.configuration import cannot_run
from tests.servers import PostgresServer, RedisServer, ServerMissingError


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    try:
        server = RedisServer()
    except ServerMissingError as missing:
        cannot_run(str(missing))
    with server:
        yield server


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except ServerMissingError as missing:
        cannot_run(str(missing))
    with server:
        yield server


def test_redis_forgets_when_it_is_flushed(own_redis: RedisServer) -> None:
    with own_redis.connection() as connection:
        connection.set("key", "value")
        own_redis.flush()
        assert connection.get("key") is None


@pytest.mark.parametrize("end", [RedisServer.stop, RedisServer.kill])
def test_redis_comes_back_empty_at_the_same_address(
    own_redis: RedisServer, end: Callable[[RedisServer], None]
) -> None:
    address = own_redis.url
    with own_redis.connection() as connection:
        connection.set("key", "value")

    end(own_redis)
    assert not own_redis.running
    with own_redis.connection() as connection, pytest.raises(redis_client.ConnectionError):
        connection.ping()

    own_redis.start()
    assert own_redis.url == address
    with own_redis.connection() as connection:
        assert connection.get("key") is None


def test_a_server_that_cannot_start_says_why(own_redis: RedisServer) -> None:
    second = RedisServer()
    second.port = own_redis.port

    with pytest.raises(RuntimeError, match="Address already in use"), second:
        pass


def test_postgres_creates_databases(own_postgres: PostgresServer) -> None:
    with psycopg.connect(own_postgres.create_database("a_new_one")) as connection:
        row = connection.execute("SELECT current_database()").fetchone()

    assert row == ("a_new_one",)


@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.kill])
def test_postgres_comes_back_with_its_data(
    own_postgres: PostgresServer, end: Callable[[PostgresServer], None]
) -> None:
    address = own_postgres.dsn()
    with psycopg.connect(address) as connection:
        # These servers commit before they have written, which a crash may undo.
        connection.execute("SET synchronous_commit TO on")
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept AS SELECT 1")

    end(own_postgres)
    assert not own_postgres.running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)

    own_postgres.start()
    assert own_postgres.dsn() == address
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)
