"""DATABASE_URL as every service reads it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.common.db.database import url_for_service


def connect_arguments(url: str) -> dict[str, object]:
    """What the driver is told."""
    made = sa.engine.make_url(url_for_service(url, "apps"))
    return dict(made.get_dialect()().create_connect_args(made)[1])


def test_a_service_has_a_file_of_its_own() -> None:
    assert url_for_service("sqlite:///some/where/p.db", "apps") == "sqlite:///some/where/p-apps.db"


def test_a_server_and_its_standbys_are_asked_in_turn() -> None:
    url = "postgresql://me:s%2Cecret@one:5433,two/platform?target_session_attrs=read-write&sslmode=require"
    found = connect_arguments(url)
    assert (found["host"], found["port"]) == ("one,two", "5433,5432")
    assert (found["user"], found["password"], found["dbname"]) == ("me", "s,ecret", "platform")
    assert (found["target_session_attrs"], found["sslmode"]) == ("read-write", "require")


def test_one_server_stays_as_it_is() -> None:
    assert url_for_service("postgres://me@one/platform", "apps") == "postgresql+psycopg://me@one/platform"


def test_another_database_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="not mysql"):
        url_for_service("mysql://me@one/platform", "apps")
