"""Moving in from the Django system, row by row: what cannot be used is noted, and nothing else is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from deploy.import_django.__main__ import main
from services.apps.store import tables as apps_tables
from services.auth.store.tables import users
from services.backups.store.tables import backups
from services.common.db.database import create_engine
from services.common.identity.keys import Sealer
from services.inventory.store.tables import hosts, settings
from tests.store.django_broken_rows import BROKEN, Broken
from tests.store.django_household import OLD_KEY, encrypt, insert, make_household, name_app

SECRET_KEY = "the key that is of this test alone"


def store_row(file: Path, broken: Broken) -> None:
    insert(file, broken.table, **broken.values)
    with closing(sqlite3.connect(file)) as connection, connection:
        for column in broken.text:
            connection.execute(
                f"UPDATE {broken.table} SET {column} = CAST({column} AS TEXT) WHERE id = ?",
                [broken.values["id"]],
            )


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a household's database; the environment names databases of ours that do not exist yet."""
    for name, value in {
        "DATABASE_URL": f"sqlite:///{tmp_path}/db/p.sqlite3",
        "SECRET_KEY": SECRET_KEY,
        "PROXIMITY_STATE_DIR": str(tmp_path / "state"),
        "DJANGO_SECRET_KEY": OLD_KEY,
    }.items():
        monkeypatch.setenv(name, value)
    place = {"host": "10.0.0.9", "password": encrypt("pve-password")}
    make_household(tmp_path / "old.sqlite3", active=place, inactive={**place, "host": "10.0.0.8"})
    return tmp_path / "old.sqlite3"


def read(old: Path, service: str, table: sa.Table) -> dict[object, sa.Row[tuple[object, ...]]]:
    engine = create_engine(f"sqlite:///{old.parent}/db/p.sqlite3", service=service, pool_size=1)
    try:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(table)).all()
            return {row[0]: row for row in rows}
    finally:
        engine.dispose()


def run(old: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["--from", f"sqlite:///{old}", *options]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: f"{one.table}: {one.said}")
def test_a_broken_row_is_noted_and_the_others_come_over(
    old: Path, broken: Broken, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run(old, capsys)
    store_row(old, broken)
    after = run(old, capsys, "--apply")
    (line,) = [line for line in after.splitlines() if broken.said in line and line not in before]
    assert line.startswith(f"{broken.table} ")
    assert ("left behind" in line) == broken.is_left
    assert set(before.splitlines()[8:-1]) <= set(after.splitlines())  # what was said of the others
    assert "s3cret" not in after
    assert len(read(old, "apps", apps_tables.apps)) == 29 + (
        broken.table == "applications" and not broken.is_left
    )


def test_all_broken_rows_come_over_at_once_and_only_once(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BROKEN) == 48
    for broken in BROKEN:
        store_row(old, broken)
    report = run(old, capsys, "--apply")
    assert [one.said for one in BROKEN if one.said not in report] == []
    first = [read(old, *each) for each in (("auth", users), ("inventory", hosts), ("backups", backups))]
    run(old, capsys, "--apply")
    assert [
        read(old, *each) for each in (("auth", users), ("inventory", hosts), ("backups", backups))
    ] == first


def test_old_secrets_are_decrypted_with_the_old_key_and_sealed(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(old, capsys, "--apply")
    sealer = Sealer(SECRET_KEY)
    found = read(old, "inventory", hosts)
    for number in (1, 2):
        row = found[number]._mapping
        assert sealer.open(row["password"], place=f"hosts.password.{number}") == "pve-password"
    assert "pve-password" not in report
    assert "proxmox_hosts" not in "".join(report.splitlines()[8:])


def test_without_the_old_key_the_report_names_the_variable(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DJANGO_SECRET_KEY")
    assert "proxmox_hosts 1: password is encrypted, and DJANGO_SECRET_KEY was not given" in run(old, capsys)


def test_settings_say_what_they_said_and_no_dns_server_comes_from_nowhere(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(old, capsys, "--apply")
    network = read(old, "inventory", settings)["network"]._mapping["content"]
    assert '"default_dns_secondary": ""' in network
    assert '"default_dns_primary": "10.0.0.2"' in network
    dropped = "default_theme=matrix, enable_ai_agent=True, enable_multi_host=False"
    assert f"settings that do not exist here do not come over: {dropped}" in report


def test_a_gateway_outside_its_subnet_is_the_only_setting_that_is_lost(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute(
            "UPDATE system_settings SET default_subnet = '10.7.0.0/24', default_bridge = 'vmbr7'"
        )
    assert "10.0.0.1 is not in the subnet 10.7.0.0/24; 10.7.0.1 is used" in run(old, capsys, "--apply")
    network = read(old, "inventory", settings)["network"]._mapping["content"]
    assert '"default_gateway": "10.7.0.1"' in network
    assert '"default_bridge": "vmbr7"' in network


def test_a_hostname_with_dots_comes_over_and_old_keys_of_the_configuration_are_not_noted(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(old, capsys, "--apply")
    app = read(old, "apps", apps_tables.apps)[name_app(0)]._mapping
    assert (app["hostname"], app["internal_port"], app["config"]) == ("db.example.lan", None, {})
    assert f"applications {name_app(0)}" not in report


def test_an_app_of_a_name_that_differs_in_case_never_becomes_another_persons(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("DELETE FROM applications WHERE owner_id = 4")
    report = run(old, capsys, "--apply")
    assert "users 4: left behind: 'ALICE' differs from another user name only in case" in report
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE applications SET owner_id = 4, lxc_id = 777 WHERE lxc_id IS NULL")
    report = run(old, capsys, "--apply")
    assert "users 4: left behind: 'ALICE' differs from another user name only in case" in report
    assert f"applications {name_app(28)}: its owner 4 is not here: administrator 1 has it" in report
    assert read(old, "apps", apps_tables.apps)[name_app(28)]._mapping["owner_id"] == 1


def test_a_user_who_was_renamed_here_is_recognised_and_the_name_is_free_for_another(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(old, capsys, "--apply")
    engine = create_engine(f"sqlite:///{old.parent}/db/p.sqlite3", service="auth", pool_size=1)
    with engine.begin() as new:
        renamed = {"username": "robert", "username_key": "robert"}
        new.execute(users.update().where(users.c.username == "bob").values(**renamed))
        stranger = {"username": "bob", "username_key": "bob", "password_hash": "!", "is_staff": False}
        new.execute(
            users.insert().values(**stranger, is_active=True, date_joined=sa.func.current_timestamp())
        )
    engine.dispose()
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE applications SET owner_id = 3, lxc_id = 777 WHERE lxc_id IS NULL")
    run(old, capsys, "--apply")
    assert read(old, "apps", apps_tables.apps)[name_app(28)]._mapping["owner_id"] == 3


def test_a_host_that_is_registered_here_under_another_name_stays_one_host(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(old, capsys, "--apply")
    engine = create_engine(f"sqlite:///{old.parent}/db/p.sqlite3", service="inventory", pool_size=1)
    with engine.begin() as connection:
        connection.execute(hosts.update().where(hosts.c.id == 1).values(name="default"))
    engine.dispose()
    report = run(old, capsys, "--apply")
    assert "proxmox_hosts 1: is the host 'default' here: the address is the same" in report
    assert len(read(old, "inventory", hosts)) == 2
