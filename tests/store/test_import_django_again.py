"""Moving in from the Django system once more: what is here already, and what was deleted here."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from deploy.import_django.__main__ import main
from services.apps.store import tables as apps_tables
from services.auth.store.tables import audit_entries, users
from services.backups.store.tables import backups
from services.backups.store.tables import operations as backup_operations
from services.common.core.clock import now
from services.common.db.database import create_engine
from services.inventory.store.tables import vmids
from tests.store.django_target import old, read, read_all, url

__all__ = ["old", "url"]


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_a_second_run_changes_nothing(url: str, old: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--from", old, "--apply"])
    before = read_all(url)
    capsys.readouterr()
    assert main(["--from", old, "--apply"]) == 0
    assert read_all(url) == before
    assert re.search(r"^applications +8 +0 +3 +5$", capsys.readouterr().out, re.MULTILINE)


def change(url: str, service: str, *statements: sa.Executable) -> None:
    engine = create_engine(url, service=service, pool_size=1)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)
    finally:
        engine.dispose()


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_what_was_deleted_here_does_not_come_back(
    url: str, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--from", old, "--apply"])
    backup = read(url, "backups", backups)[0]
    app = next(row for row in read(url, "apps", apps_tables.apps) if row.id != backup.app_id)
    person = next(row for row in read(url, "auth", users) if not row.is_staff)
    change(url, "apps", apps_tables.apps.delete().where(apps_tables.apps.c.id == app.id))
    change(url, "inventory", vmids.delete().where(vmids.c.owner == app.id))
    state = {"backup_id": backup.id, "mark": backup.mark}
    ended = make_operation("delete-1", f"backup {backup.id}", "delete_backup", state=state)
    change(
        url,
        "backups",
        backups.delete().where(backups.c.id == backup.id),
        backup_operations.insert().values(**ended),
    )
    entry = {
        "id": 900,
        "message_id": "m-900",
        "timestamp": now(),
        "username": "root",
        "action": "auth.DeleteUser",
        "target": f"user {person.id}, apps to user 1",
        "address": "",
        "outcome": "OK",
        "hash": "",
    }
    change(url, "auth", users.delete().where(users.c.id == person.id), audit_entries.insert().values(**entry))
    capsys.readouterr()
    assert main(["--from", old, "--apply"]) == 0
    assert app.id not in {row.id for row in read(url, "apps", apps_tables.apps)}
    assert backup.mark not in {row.mark for row in read(url, "backups", backups)}
    assert person.id not in {row.id for row in read(url, "auth", users)}
    printed = capsys.readouterr().out
    assert f"applications {app.id}: left behind: it came over before, and was deleted here" in printed
    assert "came over before, and was removed here" in printed


def make_operation(operation_id: str, subject: str, kind: str, *, state: dict[str, Any]) -> dict[str, Any]:
    """The row of an operation that succeeded."""
    values = dict.fromkeys(("step_index", "step_count", "progress", "attempt", "undo_attempts", "fence"), 0)
    values |= dict.fromkeys(("error", "waiting_for", "worker", "traceparent"), "")  # type: ignore[arg-type]
    moments = dict.fromkeys(("created_at", "updated_at", "not_before", "finished_at"), now())
    return {
        **values,
        **moments,
        "id": operation_id,
        "subject": subject,
        "kind": kind,
        "status": "succeeded",
        "state": state,
        "cancel_requested": False,
        "delegated": False,
    }
