"""Moving in from the Django system: an old database, our own ones, and what comes over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.import_django.__main__ import main
from deploy.local.state import StateLock
from services.apps.domain.config import AppConfig
from services.apps.store import tables as apps_tables
from services.apps.store.rows import AppRows
from services.auth.config import AuthSettings
from services.auth.domain.credentials import Client
from services.auth.domain.errors import SignInFailedError
from services.auth.server import build_parts, prepare
from services.auth.store.tables import users
from services.auth.usecases.sign_in import login
from services.backups.store.tables import backups
from services.common.core.clock import now
from services.common.core.config import read_settings
from services.common.db.database import create_engine
from services.common.identity.keys import Sealer, make_service_keys
from services.common.process.runtime import close_runtime
from services.inventory.store.tables import hosts, settings, vmids
from tests.databases import make_database
from tests.store.django_database import PASSWORD, copy_to_postgresql, make_django_database
from tests.store.django_target import SECRET_KEY, old, read, read_all, url

__all__ = ["old", "url"]


def test_a_dry_run_reports_every_row_that_stays_behind_and_writes_nothing(
    url: str, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--from", old]) == 0
    said = capsys.readouterr().out
    for line in (
        "users 5: left behind: 'ada' differs from another user name only in case",
        "users 6: has no usable password",
        "users 6: the address 'ADA@example.com' is another user's too",
        "proxmox_hosts 3: password was in plain text",
        "proxmox_hosts 8: left behind: the name '' is required",
        "system_settings 1: default_disk_gb: 900000 is not between 1 and 10240",
        "applications nginx-00000001: config.colour: is not known",
        "applications nginx-00000002: its owner nobody is not here: administrator 1 has it",
        "applications nginx-00000003: comes over in error: it was 'deploying'",
        "applications nginx-00000003: another app has port 8100",
        "applications nginx-00000004: left behind: another app has the hostname 'web-01'",
        "applications nginx-00000005: left behind: has no container id",
        "applications nginx-00000006: left behind: its status 'sleeping' is not known",
        "applications nginx-00000007: left behind: its host 8 did not come over",
        "applications nginx-00000008: left behind: another app has container 101 of host 3",
        "deployment_logs 3: left behind: its application 'nginx-00000005' did not come over",
        "backups 9: left behind: it is completed, but names no archive or no storage",
        "backups 10: left behind: its application 'nginx-00000005' did not come over",
    ):
        assert line in said
    assert re.search(r"^applications +8 +3 +0 +5$", said, re.MULTILINE)
    assert re.search(r"^proxmox_nodes +1 +0 +0 +0$", said, re.MULTILINE)
    assert "plain-host-password" not in said
    assert "s3cret-value" not in said
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "db").exists()


def test_a_database_of_postgresql_gives_the_same_report_and_the_same_rows(
    url: str, old: str, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--from", old]) == 0
    expected = capsys.readouterr().out
    source = make_database(server).replace("+psycopg", "")
    copy_to_postgresql(tmp_path / "old.db", source)
    assert main(["--from", source]) == 0
    assert capsys.readouterr().out == expected
    assert main(["--from", source, "--apply"]) == 0
    before = read_all(url)
    assert main(["--from", old, "--apply"]) == 0
    assert read_all(url) == before


def test_what_comes_over_keeps_its_ids_and_its_secrets_are_sealed(url: str, old: str) -> None:
    assert main(["--from", old, "--apply"]) == 0
    sealer = Sealer(SECRET_KEY)
    assert [(row.id, row.username, row.is_staff) for row in read(url, "auth", users)] == [
        (1, "root", True),
        (4, "Ada", False),
        (6, "bob", False),
    ]
    [host] = read(url, "inventory", hosts)
    assert (host.id, host.name, host.is_default, host.verify_ssl) == (3, "rack", True, False)
    assert sealer.open(host.password, place="hosts.password.3") == "plain-host-password"
    held = [(row.host_id, row.vmid, row.owner) for row in read(url, "inventory", vmids)]
    assert held == [(3, 101, "nginx-00000001"), (3, 102, "nginx-00000002"), (3, 104, "nginx-00000003")]
    first, second, third = (
        AppRows(sealer).parse_app(row._asdict()) for row in read(url, "apps", apps_tables.apps)
    )
    assert (first.owner_id, second.owner_id, first.config) == (4, 1, AppConfig(memory=1024, cores=2))
    assert first.visible_environment == {"DB_PASSWORD": "********", "TZ": "UTC"}
    assert first.environment["DB_PASSWORD"] == "s3cret-value"
    assert "deploying" in third.error
    assert {row.public_port for row in read(url, "apps", apps_tables.ports)} == {8100, 8101}
    assert [row.message for row in read(url, "apps", apps_tables.app_events) if row.kind == "log"] == [
        "Creating the container",
        "Started",
    ]
    done, failed = read(url, "backups", backups)
    assert (done.id, done.volume_id, done.size) == (
        7,
        "local:backup/vzdump-lxc-101-2024_05_06-07_08_09.tar.zst",
        5_000_000_000,
    )
    assert (failed.id, failed.status) == (8, "failed")
    assert "900" not in {row.name: row.content for row in read(url, "inventory", settings)}["resources"]


def test_a_container_is_taken_over_by_an_operation_that_waits_for_a_worker(url: str, old: str) -> None:
    main(["--from", old, "--apply"])
    found = read(url, "apps", apps_tables.operation_tables.operations)
    assert {(row.subject, row.kind, row.state["previous"]) for row in found} == {
        ("nginx-00000001", "import_app", "running"),
        ("nginx-00000002", "import_app", "stopped"),
        ("nginx-00000003", "import_app", "error"),
    }
    queued = [row.subject for row in read(url, "apps", apps_tables.outbox)]
    assert queued.count("jobs.apps.v1.run_operation") == 3


async def test_users_sign_in_with_their_old_password_which_then_is_hashed_by_argon2(
    url: str, old: str, tmp_path: Path
) -> None:
    main(["--from", old, "--apply"])
    make_service_keys(tmp_path / "keys")
    environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": url, "SERVICE_KEYS_DIR": str(tmp_path / "keys")}
    auth = build_parts(read_settings(AuthSettings, environment | {"ALLOW_INSECURE": "default-passwords"}))
    try:
        await prepare(auth)
        sign_in = auth.handlers.sign_in
        with pytest.raises(SignInFailedError):
            await login(sign_in, username="ada", password="another password", client=Client("127.0.0.1"))
        assert (
            await login(sign_in, username="ada", password=PASSWORD, client=Client("127.0.0.1"))
        ).account.id == 4
        assert (await auth.stores.accounts.get_account(4)).password_hash.startswith("$argon2id$")
        assert (
            await login(sign_in, username="ada", password=PASSWORD, client=Client("127.0.0.1"))
        ).account.id == 4
    finally:
        auth.hasher.close()
        await close_runtime(auth.runtime)


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_a_new_user_gets_an_id_of_its_own(url: str, old: str) -> None:
    main(["--from", old, "--apply"])
    engine = create_engine(url, service="auth", pool_size=1)
    values = {
        "username": "new",
        "username_key": "new",
        "password_hash": "",
        "is_staff": False,
        "is_active": True,
        "date_joined": read(url, "auth", users)[0].date_joined,
    }
    with engine.begin() as connection:
        assert connection.execute(users.insert().values(**values).returning(users.c.id)).scalar_one() == 7
    engine.dispose()


def test_who_is_here_already_stays_and_ids_that_are_taken_are_not_taken_away(
    url: str, old: str, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    main(["--from", make_django_database(other / "old.db"), "--apply"])
    engine = create_engine(url, service="auth", pool_size=1)
    eve = {"username": "eve", "username_key": "eve", "email_key": "e", "date_joined": now()}
    with engine.begin() as connection:
        connection.execute(users.update().where(users.c.id == 4).values(**eve))
    engine.dispose()
    assert main(["--from", old, "--apply"]) == 0
    assert [(row.id, row.username) for row in read(url, "auth", users)][1:] == [
        (4, "eve"),
        (6, "bob"),
        (7, "Ada"),
    ]


def test_a_running_platform_is_not_written_to(
    url: str, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = StateLock(tmp_path / "state")
    assert lock.acquire()
    assert main(["--from", old, "--apply"]) == 1
    lock.release()
    assert "stop it first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("sqlite:////nowhere/old.db", "there is no file /nowhere/old.db"),
        (
            "mysql://me:pass-word@db/old",
            "mysql://…@db/old begins neither with sqlite:/// nor with postgresql://",
        ),
    ],
)
def test_a_source_that_is_none_is_refused(
    source: str,
    reason: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROXIMITY_STATE_DIR", str(tmp_path))
    assert main(["--from", source]) == 1
    assert reason in capsys.readouterr().err


def test_a_database_of_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXIMITY_STATE_DIR", str(tmp_path))
    (tmp_path / "empty.db").touch()
    assert main(["--from", f"sqlite:///{tmp_path}/empty.db"]) == 1
    assert "is no database of the Django system: it has no users" in capsys.readouterr().err
