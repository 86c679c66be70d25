"""Migrations that are written from the tables of a service."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from deploy import migration
from services.catalog.store.tables import metadata
from services.common.db.database import UtcDateTime, create_engine
from services.common.db.migrations import find_versions, upgrade


def add_columns(monkeypatch: pytest.MonkeyPatch, *columns: sa.Column[object]) -> sa.MetaData:
    """Let the catalog's tables have more columns than its migrations make."""
    tables = sa.MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(tables)
    for column in columns:
        tables.tables["sources"].append_column(column)
    monkeypatch.setattr(migration, "import_tables", lambda _: tables)
    return tables


def copy_versions(folder: Path) -> Path:
    return Path(shutil.copytree(find_versions("catalog"), folder / "versions"))


def test_a_migration_makes_the_columns_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = add_columns(
        monkeypatch,
        sa.Column("notes", sa.Text, nullable=False, server_default=""),
        sa.Column("seen_at", UtcDateTime),
    )
    versions = copy_versions(tmp_path)
    written = migration.write_migration("catalog", "notes", versions=versions)
    assert written is not None
    assert written.parent == versions
    assert written.stem.endswith("_notes")
    url = f"sqlite:///{tmp_path}/catalog.sqlite3"
    upgrade(url, "catalog")
    engine = create_engine(url, service="catalog")
    config = migration.configure_commands(versions)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
        options = {"include_name": migration.is_declared}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), tables) == []
        command.downgrade(config, "-1")
        assert "notes" not in {column["name"] for column in sa.inspect(connection).get_columns("sources")}
    engine.dispose()


def test_nothing_is_written_where_nothing_is_missing(tmp_path: Path) -> None:
    versions = copy_versions(tmp_path)
    before = sorted(versions.glob("*.py"))
    assert migration.write_migration("catalog", "notes", versions=versions) is None
    assert sorted(versions.glob("*.py")) == before


def test_a_required_column_without_a_default_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_columns(monkeypatch, sa.Column("notes", sa.Text, nullable=False))
    with pytest.raises(ValueError, match=r"sources\.notes: make it nullable or give it a server_default"):
        migration.write_migration("catalog", "notes", versions=copy_versions(tmp_path))


def test_a_name_that_is_no_name_of_a_file_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert migration.main(["catalog", "../notes"]) == 2
    assert "'../notes'" in capsys.readouterr().err
