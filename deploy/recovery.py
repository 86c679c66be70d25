"""`python -m deploy.recovery backup FILE | restore FILE [--force]`: the platform's own state in one archive.

Holds the databases, the keys, the certificates and the ports of `make run`, with a manifest of checksums; apps' own
data are what backups of apps are for. NATS is left out: jobs and events are rows of the databases until they are done,
and what the services keep in it is made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import sys
import tarfile
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.local.settings import LocalSettings
from deploy.local.state import StateLock, write_secret
from deploy.postgresql import DumpError, dump_database, has_schemas, restore_database
from services.common.core.config import ConfigError, read_settings
from services.registry import RECOVERY_ORDER

MANIFEST = "manifest.json"
_FORMAT = 1
_PARTS = ("keys", "certs", "ports.json", "db")
_OUTDATED = ("nats", "run.json")  # what belongs to the state that is replaced
_DUMP = "postgresql.dump"


class RecoveryError(Exception):
    """Nothing was changed; the message says why."""


def make_backup(settings: LocalSettings, archive: Path) -> list[str]:
    """Write everything into `archive`, whole or not at all, and return the names; the platform may run meanwhile.

    Raises:
        RecoveryError: there is no state, or the database cannot be copied.
    """
    if not (settings.state / "keys").is_dir():
        raise RecoveryError(f"{settings.state} holds no platform")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".backup-") as folder:
        copy = Path(folder)
        _copy_state(settings, copy)
        files = {path.relative_to(copy).as_posix(): _describe(path) for path in _list_files(copy)}
        manifest = {
            "format": _FORMAT,
            "created_at": datetime.now(UTC).isoformat(),
            "has_secret_key": not settings.secret_key,
            "files": files,
        }
        write_secret(copy / MANIFEST, json.dumps(manifest, indent=2))
        _pack(copy, archive)
    return sorted(files)


def _copy_state(settings: LocalSettings, copy: Path) -> None:
    for name in ("keys", "certs", "ports.json"):
        for path in _list_files(settings.state / name):
            if not path.name.endswith(".partial"):
                _copy_file(path, copy / path.relative_to(settings.state))
    if settings.database_url:
        try:
            dump_database(settings.database_url, copy / _DUMP)
        except DumpError as error:
            raise RecoveryError(str(error)) from error
        return
    for service in RECOVERY_ORDER:
        file = settings.state / "db" / f"proximity-{service}.sqlite3"
        if file.exists():
            _copy_sqlite(file, copy / "db" / file.name)


def _list_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(each for each in path.rglob("*") if each.is_file())


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.write_bytes(source.read_bytes())
    target.chmod(0o600)


def _copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of a database that others write to: SQLite's online backup."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(sqlite3.connect(source, timeout=30)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")
    target.chmod(0o600)


def _describe(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": _digest(path)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(folder: Path, archive: Path) -> None:
    partial = archive.with_name(f"{archive.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path in [folder / MANIFEST, *(each for each in _list_files(folder) if each.name != MANIFEST)]:
            tar.add(path, arcname=path.relative_to(folder).as_posix())
    partial.replace(archive)


def restore_backup(settings: LocalSettings, archive: Path, *, force: bool = False) -> list[str]:
    """Bring back what `archive` holds and return the names. With `force` what is there is put aside.

    Raises:
        RecoveryError: the archive is damaged, a platform runs, or there is one already.
    """
    lock = StateLock(settings.state)
    try:
        if not lock.acquire():
            raise RecoveryError(f"the platform runs in {settings.state}: stop it first")
        with tempfile.TemporaryDirectory(dir=settings.state, prefix=".restore-") as folder:
            manifest = _unpack(archive, Path(folder))
            files = sorted(manifest["files"])
            _check_place(settings, manifest, files, force=force)
            if _DUMP in files:
                restore_database(settings.database_url, Path(folder) / _DUMP)
            _put_aside(settings.state)
            for part in _PARTS:
                if (Path(folder) / part).exists():
                    (Path(folder) / part).rename(settings.state / part)
    except DumpError as error:
        raise RecoveryError(str(error)) from error
    finally:
        lock.release()
    return files


def _unpack(archive: Path, folder: Path) -> dict[str, Any]:
    """Unpack what the manifest names, each file checked; nothing else leaves the archive."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            manifest: dict[str, Any] = json.loads(_read(tar, MANIFEST))
            if manifest["format"] != _FORMAT:
                raise RecoveryError(
                    f"{archive} has format {manifest['format']}, this version reads {_FORMAT}"
                )
            for name, described in manifest["files"].items():
                _unpack_file(tar, name, described["sha256"], folder=folder)
    except (OSError, EOFError, tarfile.TarError, KeyError, ValueError) as error:
        raise RecoveryError(f"{archive} is no backup or damaged: {error}") from error
    return manifest


def _unpack_file(tar: tarfile.TarFile, name: str, digest: str, *, folder: Path) -> None:
    parts = PurePosixPath(name).parts
    if name != _DUMP and (parts[0] not in _PARTS or ".." in parts):
        raise ValueError(f"{name} does not belong there")
    content = _read(tar, name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{name} has another checksum")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.write_bytes(content)
    target.chmod(0o600)


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file.read()


def _check_place(settings: LocalSettings, manifest: dict[str, Any], files: list[str], *, force: bool) -> None:
    if (_DUMP in files) != bool(settings.database_url):
        where = "of PostgreSQL: set DATABASE_URL" if _DUMP in files else "of SQLite: do not set DATABASE_URL"
        raise RecoveryError(f"the backup is {where}")
    if not manifest["has_secret_key"] and not settings.secret_key:
        raise RecoveryError("the backup does not hold the SECRET_KEY that it was made with: set it")
    if force:
        return
    if present := [name for name in _PARTS if _list_files(settings.state / name)]:
        raise RecoveryError(f"{settings.state} holds {present[0]} already; --force puts it aside")
    if settings.database_url and has_schemas(settings.database_url):
        raise RecoveryError("the database holds a platform already; --force replaces it")


def _put_aside(state: Path) -> None:
    """Rename what is there: NATS included, whose messages belong to the other state."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    for name in (*_PARTS, *_OUTDATED):
        if (state / name).exists():
            (state / f"before-{stamp}").mkdir(exist_ok=True, mode=0o700)
            (state / name).rename(state / f"before-{stamp}" / name)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 with the reason when it is refused, 2 when something is set wrongly."""
    parser = argparse.ArgumentParser(prog="python -m deploy.recovery", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backup", help="copy the state into a file").add_argument("file", type=Path)
    restore = commands.add_parser("restore", help="bring the state back from a file")
    restore.add_argument("file", type=Path)
    restore.add_argument("--force", action="store_true", help="put aside what is there")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        settings = read_settings(LocalSettings)
        if options.command == "backup":
            done = make_backup(settings, options.file.absolute())
        else:
            done = restore_backup(settings, options.file.absolute(), force=options.force)
    except (ConfigError, RecoveryError) as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    sys.stdout.writelines(f"{name}\n" for name in done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
