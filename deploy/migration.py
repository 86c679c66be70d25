"""Writing a migration: what the tables of a service have and its migrations do not make yet.

`make migration SERVICE=apps NAME=notes` calls it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations.ops import AddColumnOp, MigrationScript, ModifyTableOps
from alembic.script import Script, ScriptDirectory

from services.common.db.database import UtcDateTime, create_engine
from services.common.db.migrations import configure, find_versions, upgrade
from services.registry import SERVICES

# Alembic's own table, SQLite's own tables, and the trigram indexes: PostgreSQL has them, SQLAlchemy cannot express them.
_UNDECLARED = ("alembic_version", "sqlite_", "apps_search")


def import_tables(service: str) -> sa.MetaData:
    """Import the tables that a service uses."""
    metadata: sa.MetaData = import_module(f"services.{service}.store.tables").metadata
    return metadata


def is_declared(name: str | None, *_: object) -> bool:
    """Whether a table or an index of a database is one that the services declare."""
    return name is None or not name.startswith(_UNDECLARED)


def configure_commands(versions: Path) -> Config:
    """Configure Alembic's commands for the migrations in a folder, and how the files of new ones are named."""
    config = configure(versions)
    config.set_main_option("file_template", "%%(rev)s")
    return config


def write_migration(service: str, name: str, *, versions: Path) -> Path | None:
    """Write the migration that brings a database to the tables of a service; None where nothing is missing.

    Args:
        service: one of the registry.
        name: of the file behind its number: lower case, digits and underscores.
        versions: the folder of the service's migrations, where the file is written.

    Raises:
        ValueError: the name is no name of a file, or a new column could not be filled in the rows that exist.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        raise ValueError(f"{name!r}: a name has lower case letters, digits and underscores, at most 31")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/tables.sqlite3"
        upgrade(url, service)
        engine = create_engine(url, service=service)
        config = configure_commands(versions)
        head = ScriptDirectory.from_config(config).get_current_head() or "0000"
        try:
            with engine.connect() as connection:
                config.attributes.update(
                    connection=connection,
                    options={
                        "render_as_batch": False,
                        "target_metadata": import_tables(service),
                        "include_name": is_declared,
                        "process_revision_directives": _check_script,
                        "render_item": _render_item,
                    },
                )
                revision = f"{int(head[:4]) + 1:04}_{name}"
                script = command.revision(
                    config, name, autogenerate=True, rev_id=revision, version_path=str(versions)
                )
        finally:
            engine.dispose()
    if not isinstance(script, Script):  # a list of several only where branches are merged
        return None
    path = Path(script.path)
    path.write_text(re.sub(r"\n *# ### .*", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    subprocess.run(  # noqa: S603 - a program and a file of ours
        [sys.executable, "-m", "ruff", "format", "--quiet", path], check=True, timeout=60
    )
    return path


def _check_script(_context: object, _revision: object, scripts: list[MigrationScript]) -> None:
    """Leave an empty script out, and refuse one that fails where there are rows."""
    upgrades: Any = scripts[0].upgrade_ops
    if upgrades.is_empty():
        scripts.clear()
        return
    for table in (each for each in upgrades.ops if isinstance(each, ModifyTableOps)):
        for column in (each.column for each in table.ops if isinstance(each, AddColumnOp)):
            # The release before writes rows without the column while both run.
            if not column.nullable and column.server_default is None:
                raise ValueError(
                    f"{table.table_name}.{column.name}: make it nullable or give it a server_default"
                )


def _render_item(kind: str, item: object, context: AutogenContext) -> str | bool:
    if kind == "type" and isinstance(item, UtcDateTime):
        context.imports.add("from services.common.db.database import UtcDateTime")
        return "UtcDateTime"
    return False


def main(arguments: list[str]) -> int:
    """Write a migration for the service and with the name that the arguments give; say where it is."""
    parser = argparse.ArgumentParser(prog="python -m deploy.migration", description=__doc__)
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("name", help="what it adds: lower case, digits and underscores")
    given = parser.parse_args(arguments)
    try:
        written = write_migration(given.service, given.name, versions=find_versions(given.service))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if written is None:
        sys.stdout.write(f"the migrations of {given.service} make all its tables: nothing to write\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
