"""A PostgreSQL database that does not store UTF-8 is refused in a sentence, by every command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid

import psycopg
import pytest
from sqlalchemy import make_url

from services.common.db.database import create_engine
from services.common.db.transactions import DatabaseEncodingError

LIMIT_S = 90.0


def make_database(server: str, encoding: str) -> str:
    name = f"encoded_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def count_connections(server: str, url: str) -> int:
    """Count the connections to a database once the server has noticed that one ended."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    deadline = time.monotonic() + LIMIT_S
    with psycopg.connect(server, autocommit=True) as connection:
        while True:
            row = connection.execute(query, (make_url(url).database,)).fetchone()
            if row == (0,) or time.monotonic() > deadline:
                return row[0] if row else 0
            time.sleep(0.02)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding_is_refused_with_the_remedy(server: str, encoding: str) -> None:
    url = make_database(server, encoding)
    engine = create_engine(url, service="apps")
    with pytest.raises(DatabaseEncodingError, match=rf"its encoding is {encoding}.*ENCODING 'UTF8'"):
        engine.connect()
    assert count_connections(server, url) == 0
    engine.dispose()


def test_utf_8_is_accepted(server: str) -> None:
    engine = create_engine(make_database(server, "UTF8"), service="apps")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 'é'").scalar() == "é"
    engine.dispose()


def test_migrate_says_so_without_a_traceback(server: str) -> None:
    url = make_database(server, "SQL_ASCII")
    environment = os.environ | {"DATABASE_URL": url, "SECRET_KEY": "x1y2z3w4" * 8, "DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "services.apps", "migrate"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "the database of apps cannot be used: its encoding is SQL_ASCII, not UTF8" in done.stderr
    assert "Traceback" not in done.stderr
