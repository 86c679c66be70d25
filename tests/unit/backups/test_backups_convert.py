"""What backups look like on the wire, and what the settings refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.config import BackupsSettings
from services.backups.convert import backups as convert
from services.backups.domain.entities import Backup, BackupOrder, BackupStats, BackupStatus
from services.backups.domain.errors import BackupElsewhereError, BackupInUseError, BackupNotCompletedError
from services.backups.domain.preconditions import check_on_host, check_restorable
from services.backups.server import build_workflows
from services.backups.usecases.context import BackupPage
from services.backups.workflows.steps.archive_tasks import find_archive
from services.clients.inventory.archive_values import Archive
from services.common.core.config import ConfigError, read_settings
from services.common.operations.model import dump_state
from tests.fakes.apps import APP, FakeApps
from tests.fakes.containers import FakeContainers

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BACKUP = Backup(
    id=3,
    app_id=APP.app_id,
    owner_id=7,
    host_id=1,
    vmid=9001,
    order=BackupOrder(storage="nfs"),
    mark="m",
    status=BackupStatus.CREATING,
    created_at=MOMENT,
    updated_at=MOMENT,
    progress=40,
)


def test_a_backup_that_is_being_made_shows_progress_and_the_wanted_storage() -> None:
    shown = convert.render_backup(BACKUP)
    assert (shown.progress, shown.storage_name, shown.is_in_progress) == (40, "nfs", True)
    assert not shown.HasField("completed_at")
    assert not shown.HasField("error_message")


def test_sizes_are_binary_units() -> None:
    done = replace(BACKUP, status=BackupStatus.COMPLETED, size=3 << 30, storage="local", completed_at=MOMENT)
    shown = convert.render_backup(done)
    assert (shown.size, shown.size_mb, shown.size_gb) == (3 << 30, 3072.0, 3.0)
    assert (shown.storage_name, shown.is_completed, shown.HasField("progress")) == ("local", True, False)
    stats = convert.render_stats(BackupStats(4, 2, 1, 1, 6 << 30))
    assert (stats.total_size_gb, stats.average_size_mb) == (6.0, 3072.0)
    assert convert.render_stats(BackupStats(0, 0, 0, 0, 0)).average_size_mb == 0


def test_a_request_without_wishes_gets_the_defaults() -> None:
    order = convert.parse_order(pb.CreateBackupRequest(app_id="a"))
    assert (order.backup_type, order.compression, order.storage) == ("snapshot", "zstd", "")
    assert convert.parse_page(pb.ListBackupsRequest(app_id="a")) == BackupPage(1, 20)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (BackupStatus.CREATING, BackupNotCompletedError),
        (BackupStatus.FAILED, BackupNotCompletedError),
        (BackupStatus.RESTORING, BackupInUseError),
        (BackupStatus.DELETING, BackupInUseError),
    ],
)
def test_only_a_completed_backup_is_restored(status: BackupStatus, error: type[Exception]) -> None:
    with pytest.raises(error, match=status.value):
        check_restorable(replace(BACKUP, status=status))
    check_restorable(replace(BACKUP, status=BackupStatus.COMPLETED))


def test_a_backup_is_not_restored_on_another_host() -> None:
    check_on_host(BACKUP, APP)
    with pytest.raises(BackupElsewhereError, match="host 1, the app on host 2"):
        check_on_host(BACKUP, replace(APP, host_id=2))


def test_an_archive_is_found_by_its_mark() -> None:
    other = Archive("local:backup/a", "local", "a", 1, "")
    marked = Archive("local:backup/b", "local", "b", 1, "note\nproximity-backup: 77aa")
    assert find_archive([other, marked], backup_id="77aa") is marked
    assert find_archive([other, marked], backup_id="88bb") is None


def test_every_workflow_reads_back_the_state_that_it_writes() -> None:
    for workflow in build_workflows(FakeApps(), FakeContainers()).values():
        required = {"operation_id": "o", "backup_id": 1, "host_id": 1, "vmid": 2, "node": "pve1"}
        texts = ("app_id", "mark", "backup_type", "compression", "storage", "notes", "archive")
        state = workflow.load_state({**required, **dict.fromkeys(texts, "t")})
        assert workflow.load_state({**dump_state(state), "of_a_later_version": 1}) == state


def test_settings_name_every_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(BackupsSettings, {"BACKUPS_CONCURRENCY": "0"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["SECRET_KEY", "BACKUPS_CONCURRENCY"]
