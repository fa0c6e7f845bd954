"""The tests' own PostgreSQL behaves as the failure tests suppose."""

import select

import psycopg
import pytest

from tests.support.postgres import PostgresServer, Stop


def test_a_database_of_its_own_is_empty_and_durable(postgres_url: str) -> None:
    """A test gets an empty database in a server that may call itself durable."""
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone()
        settings = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("fsync", "full_page_writes", "synchronous_commit")
        ]
    assert tables == (0,)
    assert settings == [("on",)] * 3


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
def test_a_stopped_server_comes_back_with_what_was_committed(
    own_postgres: PostgresServer, mode: Stop
) -> None:
    """However a server is stopped, it refuses connections, and starts with all its rows."""
    with psycopg.connect(own_postgres.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    own_postgres.stop(mode)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(own_postgres.url(), connect_timeout=1)
    own_postgres.start()
    with psycopg.connect(own_postgres.url()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_paused_server_answers_nothing_until_it_goes_on(own_postgres: PostgresServer) -> None:
    """A paused server keeps its connections and answers no query until it is resumed."""
    with psycopg.connect(own_postgres.url()) as connection:
        own_postgres.pause()
        connection.pgconn.send_query(b"SELECT 1")
        answered, _, _ = select.select([connection.pgconn.socket], [], [], 0.2)
        assert not answered
        own_postgres.resume()
        answered, _, _ = select.select([connection.pgconn.socket], [], [], 10)
        assert answered
        connection.close()
