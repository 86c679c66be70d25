"""No id of a deleted row is given to another one, in any table of any service; the migration keeps what is there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

import services
from services.common.db.database import create_engine
from services.common.db.migrations import upgrade
from services.registry import SERVICES


def read_revisions(service: str) -> tuple[str, str]:
    """The revisions before and after ids became unique."""
    (file,) = (Path(services.__file__ or "").parent / service / "migrations" / "versions").glob(
        "*_unique_ids.py"
    )
    module = import_module(f"services.{service}.migrations.versions.{file.stem}")
    return module.down_revision, module.revision


def list_numbered(service: str) -> list[sa.Table]:
    """The tables whose key the database numbers."""
    metadata: sa.MetaData = import_module(f"services.{service}.store.tables").metadata
    return [table for table in metadata.sorted_tables if table.autoincrement_column is not None]


@pytest.mark.parametrize("service", SERVICES)
def test_every_numbered_table_gives_an_id_once(service: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.sqlite3"
    upgrade(url, service)
    engine = create_engine(url, service=service)
    tables = list_numbered(service)
    assert "outbox" in {table.name for table in tables}
    with engine.connect() as connection:
        for table in tables:
            sql = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
            assert "AUTOINCREMENT" in connection.execute(sql, {"name": table.name}).scalar_one(), table.name
            assert table.dialect_options["sqlite"]["autoincrement"], table.name
    engine.dispose()


@pytest.mark.parametrize("service", SERVICES)
def test_rows_indexes_and_constraints_outlive_the_migration(service: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.sqlite3"
    old, new = read_revisions(service)
    upgrade(url, service, revision=old)
    engine = create_engine(url, service=service)
    with engine.connect() as connection:
        there = set(sa.inspect(connection).get_table_names())
        tables = [table for table in list_numbered(service) if table.name in there]
        for table in tables:
            fill(connection, table.name)
        connection.commit()
        before = {table.name: read(connection, table.name) for table in tables}
        shapes = {table.name: inspect(connection, table.name) for table in tables}
    engine.dispose()
    upgrade(url, service, revision=new)
    engine = create_engine(url, service=service)
    with engine.connect() as connection:
        for table in tables:
            rows = read(connection, table.name)
            assert [row[: len(old)] for row, old in zip(rows, before[table.name], strict=True)] == before[
                table.name
            ]
            columns, indexes, unique, foreign = inspect(connection, table.name)
            assert columns >= shapes[table.name][0]
            assert (indexes, unique, foreign) == shapes[table.name][1:]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_the_nodes_of_a_host_outlive_the_migration_of_their_host(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.sqlite3"
    old, new = read_revisions("inventory")
    upgrade(url, "inventory", revision=old)
    engine = create_engine(url, service="inventory")
    with engine.connect() as connection:
        fill(connection, "hosts")
        fill(connection, "nodes")
        connection.commit()
    engine.dispose()
    upgrade(url, "inventory", revision=new)
    engine = create_engine(url, service="inventory")
    with engine.connect() as connection:
        assert len(read(connection, "nodes")) == 2
        connection.exec_driver_sql("DELETE FROM hosts")
        assert read(connection, "nodes") == []  # still bound to their host
        fill(connection, "hosts")
        assert [row[0] for row in read(connection, "hosts")] == [3, 4]
    engine.dispose()


def fill(connection: sa.Connection, name: str) -> None:
    """Two rows with a value in each column, as the table is now."""
    table = sa.Table(name, sa.MetaData(), autoload_with=connection)
    count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    for number in (count + 1, count + 2):
        values = {
            column.name: 1 if column.foreign_keys else make_value(column, number)
            for column in table.columns
            if not column.primary_key
        }
        connection.execute(table.insert().values(**values))


def make_value(column: sa.Column[object], number: int) -> object:
    kind = column.type.as_generic()
    if isinstance(kind, sa.DateTime):
        return sa.literal_column("'2026-11-30 00:00:00.000000'")
    if isinstance(kind, sa.LargeBinary):
        return f"{column.name} {number}".encode()
    if isinstance(kind, sa.JSON):
        return [number]
    return f"{column.name} {number}" if isinstance(kind, sa.String) else number % 2


def read(connection: sa.Connection, name: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1").all()]


def inspect(connection: sa.Connection, name: str) -> tuple[set[str], set[str], set[str], set[str]]:
    inspector = sa.inspect(connection)
    return (
        {
            f"{each['name']} {each['type']} {each['nullable']} {each['default']}"
            for each in inspector.get_columns(name)
        },
        {str(each) for each in inspector.get_indexes(name)},
        {str(sorted(each["column_names"])) for each in inspector.get_unique_constraints(name)},
        {str(each) for each in inspector.get_foreign_keys(name)},
    )
