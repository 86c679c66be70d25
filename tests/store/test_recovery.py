"""Backing up the platform's own state while it is written to, and coming back from nothing."""

from __future__ import annotations

import io
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from deploy.local.state import StateLock
from deploy.recovery import main
from services.common.db.database import create_engine
from services.common.db.migrations import upgrade
from services.inventory.store.tables import settings
from services.registry import SERVICES
from tests.databases import make_database


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "state"
    for name in ("DATABASE_URL", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROXIMITY_STATE_DIR", str(made))
    for name, text in {
        "keys/secret_key": "k",
        "keys/auth.key": "a",
        "certs/ca.crt": "c",
        "nats/old": "n",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    (made / "ports.json").write_text('{"nats": 4222}')
    return made


@pytest.fixture
def running(state: Path) -> Iterator[sqlite3.Connection]:
    """A database per service that is open and has rows in its log alone."""
    (state / "db").mkdir()
    opened = []
    for service in SERVICES:
        connection = sqlite3.connect(state / "db" / f"proximity-{service}.sqlite3", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE facts (name TEXT)")
        connection.execute("INSERT INTO facts VALUES (?)", (service,))
        opened.append(connection)
    yield opened[0]
    for connection in opened:
        connection.close()


def read_facts(state: Path, service: str) -> list[str]:
    with closing(sqlite3.connect(state / "db" / f"proximity-{service}.sqlite3")) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM facts")]


def read_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 1
    return capsys.readouterr().err


def test_everything_is_there_again_after_everything_was_destroyed(
    state: Path, running: sqlite3.Connection, tmp_path: Path
) -> None:
    archive = tmp_path / "backups" / "one.tar.gz"
    lock = StateLock(state)
    assert lock.acquire()  # as a platform that runs holds it
    running.execute("BEGIN IMMEDIATE")
    running.execute("INSERT INTO facts VALUES ('not committed')")
    assert main(["backup", str(archive)]) == 0
    running.execute("ROLLBACK")
    lock.release()
    shutil.rmtree(state)
    assert main(["restore", str(archive)]) == 0
    assert {service: read_facts(state, service) for service in SERVICES} == {
        name: [name] for name in SERVICES
    }
    assert (state / "keys" / "secret_key").read_text() == "k"
    assert (state / "certs" / "ca.crt").read_text() == "c"
    assert (state / "ports.json").read_text() == '{"nats": 4222}'
    assert not (state / "nats").exists()
    files = [path for path in (archive, *state.rglob("*")) if path.is_file()]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_what_is_there_is_refused_or_put_aside(
    state: Path, running: sqlite3.Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "one.tar.gz"
    main(["backup", str(archive)])
    running.execute("INSERT INTO facts VALUES ('later')")
    assert "holds keys already; --force puts it aside" in read_error(["restore", str(archive)], capsys)
    assert read_facts(state, "auth") == ["auth", "later"]
    assert main(["restore", str(archive), "--force"]) == 0
    assert read_facts(state, "auth") == ["auth"]
    [aside] = state.glob("before-*")
    assert read_facts(aside, "auth") == ["auth", "later"]
    assert (aside / "nats" / "old").read_text() == "n"
    assert not (state / "nats").exists()


def test_a_running_platform_is_not_restored_over(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "one.tar.gz"
    main(["backup", str(archive)])
    lock = StateLock(state)
    assert lock.acquire()
    assert "stop it first" in read_error(["restore", str(archive), "--force"], capsys)
    lock.release()


def test_a_damaged_archive_changes_nothing(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "one.tar.gz"
    main(["backup", str(archive)])
    with tarfile.open(archive) as tar:
        content = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    content["keys/secret_key"] = b"another"
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    arguments = ["restore", str(archive), "--force"]
    assert "keys/secret_key has another checksum" in read_error(arguments, capsys)
    archive.write_bytes(archive.read_bytes()[:200])
    assert "is no backup or damaged" in read_error(arguments, capsys)
    assert (state / "keys" / "secret_key").read_text() == "k"
    assert not list(state.glob("before-*"))


def test_a_file_that_points_elsewhere_is_refused(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "one.tar.gz"
    manifest = b'{"format": 1, "has_secret_key": true, "files": {"keys/../../evil": {"sha256": ""}}}'
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        tar.addfile(member, io.BytesIO(manifest))
    assert "keys/../../evil does not belong there" in read_error(["restore", str(archive), "--force"], capsys)


def test_a_backup_without_its_secret_key_wants_it_from_the_environment(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "one.tar.gz"
    monkeypatch.setenv("SECRET_KEY", "of the environment")
    main(["backup", str(archive)])
    monkeypatch.delenv("SECRET_KEY")
    assert "SECRET_KEY" in read_error(["restore", str(archive), "--force"], capsys)


def test_an_empty_state_has_nothing_to_back_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXIMITY_STATE_DIR", str(tmp_path / "none"))
    assert "holds no platform" in read_error(["backup", str(tmp_path / "one.tar.gz")], capsys)


def test_postgresql_comes_back_too(
    state: Path,
    server: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, archive = make_database(server), tmp_path / "one.tar.gz"
    monkeypatch.setenv("DATABASE_URL", url)
    upgrade(url, "inventory")
    engine = create_engine(url, service="inventory", pool_size=1)
    with engine.begin() as connection:
        moment = sa.func.now()
        connection.execute(settings.insert().values(name="network", content="{}", updated_at=moment))
    assert main(["backup", str(archive)]) == 0
    shutil.rmtree(state / "keys")
    assert "holds" in read_error(["restore", str(archive)], capsys)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA inventory CASCADE"))
    engine.dispose()
    assert main(["restore", str(archive), "--force"]) == 0
    with engine.connect() as connection:
        assert connection.execute(sa.select(settings.c.name)).scalars().all() == ["network"]
    engine.dispose()
    upgrade(url, "inventory")  # the version came back with the tables
    monkeypatch.delenv("DATABASE_URL")
    assert "set DATABASE_URL" in read_error(["restore", str(archive), "--force"], capsys)
