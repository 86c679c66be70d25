"""Secrets of imported apps: generated for every service that needs them, or left as they are."""

from __future__ import annotations

import pytest

from services.catalog.domain.sources import SourceFormat
from tests.unit.catalog.compose_samples import list_inputs, load, read

DB = "db: {image: 'postgres:16', environment: {POSTGRES_USER: shelf, POSTGRES_PASSWORD: shelf}}"


@pytest.mark.parametrize(
    ("web", "told"),
    [
        ("depends_on: [db]", False),
        ("environment: {DB_HOST: db}", False),
        ("environment: {DB_PASS: shelf}", True),
        ("environment: {DB: 'postgres://shelf:shelf@db/shelf'}", True),
        ("environment: {DB: 'host=db;user=shelf;Password=shelf;'}", True),
        ("environment: {DB: 'pg://db?u=shelf&p=shelf&d=shelf'}", True),
        ("environment: {DB_PASSWORD: '${DB_PASSWORD:-shelf}'}", True),
        ("command: ['run', '--db-password', 'shelf']", True),
    ],
)
def test_a_database_gets_a_generated_password_only_where_its_client_is_told(web: str, told: bool) -> None:
    document = read(f"services: {{{DB}, web: {{image: 'acme/web:1', ports: ['80:80'], {web}}}}}")
    services = document["compose"]["services"]
    password = services["db"]["environment"]["POSTGRES_PASSWORD"]
    assert (password != "shelf") is told
    assert services["db"]["environment"]["POSTGRES_USER"] == "shelf"
    if told:
        assert password in str(services["web"])
        assert len(document["inputs"]) == 1
    else:
        assert any("the collection's own" in note for note in document["notes"])


def test_a_client_whose_server_is_not_told_keeps_its_password_and_a_root_password_is_generated() -> None:
    document = read(
        "services: {web: {image: 'acme/web:1', ports: ['80:80'], environment: {RABBITMQ_PASSWORD: guest, DB_PASSWORD: shelf}},"
        " rabbitmq: {image: 'rabbitmq:4'}, db: {image: 'mariadb:11', environment: {MARIADB_ROOT_PASSWORD: toor,"
        " MARIADB_USER: shelf, MARIADB_PASSWORD: shelf}}}"
    )
    services = document["compose"]["services"]
    assert services["web"]["environment"]["RABBITMQ_PASSWORD"] == "guest"
    assert (
        services["web"]["environment"]["DB_PASSWORD"]
        == services["db"]["environment"]["MARIADB_PASSWORD"]
        != "shelf"
    )
    assert services["db"]["environment"]["MARIADB_ROOT_PASSWORD"] == "${MARIADB_ROOT_PASSWORD}"


def test_defaults_that_are_secrets_become_one_input_or_stay_in_both_places() -> None:
    told = read(
        "services: {web: {image: 'acme/web:1', ports: ['80:80'], environment: {URL: 'redis://:${REDIS_PW:-sesame}@cache'}},"
        " cache: {image: 'redis:7', environment: {REDIS_PASSWORD: '${REDIS_PASSWORD:-sesame}'}}}"
    )
    services = told["compose"]["services"]
    (name,) = list_inputs(told)
    assert services["web"]["environment"]["URL"] == f"redis://:${{{name}}}@cache"
    assert services["cache"]["environment"]["REDIS_PASSWORD"] == f"${{{name}}}"
    alone = read(
        "services: {web: {image: 'acme/web:1', ports: ['80:80']},"
        " db: {image: 'postgres:16', environment: {POSTGRES_PASSWORD: '${POSTGRES_PASSWORD:-sesame}'}}}"
    )
    assert alone["compose"]["services"]["db"]["environment"]["POSTGRES_PASSWORD"] == "sesame"
    assert not alone["inputs"]


def test_the_password_of_people_is_not_that_of_the_database() -> None:
    document = read(
        "services: {web: {image: 'acme/web:1', ports: ['80:80'], environment: {ADMIN_PASSWORD: insecure, DB_PASSWORD: insecure}},"
        " db: {image: 'postgres:16', environment: {POSTGRES_PASSWORD: insecure}}}"
    )
    services = document["compose"]["services"]
    web = services["web"]["environment"]
    assert web["DB_PASSWORD"] == services["db"]["environment"]["POSTGRES_PASSWORD"]
    assert web["ADMIN_PASSWORD"].startswith("${")
    assert web["ADMIN_PASSWORD"] != web["DB_PASSWORD"]


def test_notes_do_not_tell_a_password_that_was_replaced() -> None:
    text = """
services: {main: {image: 'acme/web:1', ports: ['80:80'], environment: {ADMIN_PASSWORD: casaos, HOST: casaos}}}
x-casaos: {main: main, title: {en_us: Web}, tips: {before_install: {en_us: "User: `casaos`, Password: `casaos`"}}}
"""
    imported = load({"docker-compose.yml": text}, SourceFormat.CASAOS)
    (note,) = imported.items[0].document["notes"]
    assert note.startswith("User: `casaos`, Password: (")
    assert note.count("casaos") == 1
