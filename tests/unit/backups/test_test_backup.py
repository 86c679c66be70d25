"""TestBackup: an isolated container of the archive, its outcome on the backup, and nothing left afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import (
    ArchiveGoneError,
    BackupInUseError,
    BackupNotCompletedError,
    BackupNotFoundError,
    NodeTestingError,
)
from services.backups.store.changes import RESTORE_TEST_FAILED
from services.backups.store.tables import operations
from services.clients.apps.values import AppProbeTarget
from services.clients.inventory.restore_tests import Contents, DockerContainer
from services.common.core.errors import PreconditionError, UnavailableError
from tests.fakes.apps import APP
from tests.unit.backups.platform import REF, STRANGER, Platform, call_of

WEB = DockerContainer(name="web", image="nginx:1.27", image_id="sha256:aa", state="running")
JOB = DockerContainer(name="setup", image="busybox:1", image_id="sha256:bb", state="exited")
SHOP = Contents(
    has_docker=True,
    docker_answers=True,
    containers=(JOB, WEB),
    images=("sha256:aa", "sha256:bb"),
    folders=(("cache", 0), ("data", 12)),
)


@pytest.fixture
def shop(platform: Platform) -> Platform:
    """The app with a port, whose containers run."""
    probe = AppProbeTarget(scheme="http", port=80, path="/", grace_s=1)
    platform.apps.apps[APP.app_id] = replace(APP, runtime="compose", probe=probe)
    platform.containers.contents = SHOP
    return platform


async def begin(platform: Platform, backup_id: int) -> pb.TestBackupResponse:
    request = pb.TestBackupRequest(app_id=APP.app_id, backup_id=backup_id)
    return await platform.api.test_backup(request, call_of())


async def run(platform: Platform, backup_id: int) -> backup_pb2.RestoreTest:
    """Test a backup to the end; nothing of the test is left."""
    await begin(platform, backup_id)
    await platform.run_all()
    check_nothing_left(platform)
    return (await platform.get(backup_id)).restore_test


def check_nothing_left(platform: Platform) -> None:
    assert set(platform.containers.containers) == {REF.vmid}
    assert platform.containers.reserved == {}
    assert platform.is_running, "the app is not touched"
    assert platform.apps.locks == {}


async def test_a_backup_is_restored_started_checked_and_the_container_destroyed(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    assert (await shop.get(backup_id)).restore_test.status == "untested"
    shop.containers.started.clear()
    answer = await begin(shop, backup_id)
    assert (answer.status, answer.backup_id) == ("running", backup_id)
    assert (await shop.get(backup_id)).restore_test.status == "running"
    await shop.run_all()
    check_nothing_left(shop)
    assert shop.containers.started == ["vzrestore", "vzstart", "vzdestroy"]
    test = (await shop.get(backup_id)).restore_test
    assert (test.status, test.failed_step, test.message, test.node) == ("passed", "", "", APP.node)
    assert test.HasField("duration_s")
    assert [line.partition("s: ")[2] for line in test.log] == [
        f"restoring {next(iter(shop.containers.archives))} as container 9000 on node pve1, storage local, without network",
        "restored",
        "started",
        "1 containers of Docker run",
        "port 80 answers",
        "2 images and 2 volumes are as they were when the backup was made",
        "container 9000 is gone, its id is released",
    ]
    assert RESTORE_TEST_FAILED not in await shop.list_subjects()


async def test_what_is_missing_in_the_restored_app_is_found(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    shop.containers.restored = replace(SHOP, images=("sha256:bb",))
    test = await run(shop, backup_id)
    message = "image nginx:1.27 of container web is missing"
    assert (test.status, test.failed_step, test.message) == ("failed", "compare", message)
    assert f"failed at compare: {message}" in " ".join(test.log)
    assert (await shop.list_subjects())[-1] == RESTORE_TEST_FAILED
    assert (await shop.get(backup_id)).status == "completed", "the test does not change the backup itself"


async def test_a_container_that_does_not_run_fails_the_test(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    shop.containers.restored = replace(SHOP, containers=(JOB, replace(WEB, state="exited", exit_code=137)))
    test = await run(shop, backup_id)
    assert (test.failed_step, test.message) == ("containers", "container web is exited with code 137")


@pytest.mark.parametrize(("task", "step"), [("vzrestore", "restore"), ("vzstart", "start")])
async def test_an_archive_that_cannot_be_restored_or_started_fails_the_test(
    shop: Platform, task: str, step: str
) -> None:
    backup_id = await shop.make_completed()
    shop.containers.failing.add(task)
    shop.containers.reason = "command 'tar xpf - --zstd' failed: exit code 2"
    test = await run(shop, backup_id)
    assert (test.status, test.failed_step) == ("failed", step)
    assert "exit code 2" in test.message


async def test_an_app_that_does_not_answer_fails_the_test(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    shop.containers.answers = False
    test = await run(shop, backup_id)
    assert (test.status, test.failed_step) == ("failed", "probe")
    assert "port 80 does not answer" in test.message


async def test_a_fault_of_the_node_says_nothing_about_the_backup(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    reason = "write error: No space left on device"
    shop.containers.failing.add("vzrestore")
    shop.containers.reason = reason
    test = await run(shop, backup_id)
    assert (test.status, test.failed_step) == ("untested", "")
    assert reason in test.message
    assert RESTORE_TEST_FAILED not in await shop.list_subjects()


async def test_where_no_commands_can_be_run_inside_the_backup_stays_untested(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    shop.containers.failure["inspect_contents"] = PreconditionError("the credentials allow no commands")
    test = await run(shop, backup_id)
    assert test.status == "untested"
    assert "nothing can be checked inside: the credentials allow no commands" in test.message


async def test_a_backup_of_which_nothing_was_recorded_is_tested_with_the_app_as_it_is(shop: Platform) -> None:
    shop.containers.broken["inspect_contents"] = 1
    backup_id = await shop.make_completed()
    shop.containers.restored = replace(SHOP, folders=())
    test = await run(shop, backup_id)
    assert test.status == "passed"
    assert any("nothing was recorded" in line for line in test.log)


async def test_the_backup_of_a_deleted_app_is_tested(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    await shop.remove_app()
    test = await run(shop, backup_id)
    assert test.status == "passed"
    assert any("port 80 answers" in line for line in test.log), "its port was recorded"


async def test_an_archive_without_a_configuration_fails_without_a_restore(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    error = PreconditionError("the archive is damaged: archive contains no configuration file")
    error.reason = "ARCHIVE_UNREADABLE"  # type: ignore[misc]  # as the wire brings it
    shop.containers.failure["plan_restore_test"] = error
    test = await run(shop, backup_id)
    assert (test.status, test.failed_step) == ("failed", "restore")
    assert "no configuration file" in test.message


async def test_an_archive_that_is_gone_makes_its_backup_missing(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    shop.containers.archives.clear()
    with pytest.raises(ArchiveGoneError):
        await begin(shop, backup_id)
    assert (await shop.get(backup_id)).status == "missing"


async def test_what_refuses_a_test_says_why_and_begins_nothing(shop: Platform) -> None:
    creating = await shop.create()
    with pytest.raises(BackupNotCompletedError, match="creating"):
        await begin(shop, creating)
    await shop.run_all()
    shop.containers.failure["plan_restore_test"] = PreconditionError("storage tank has 1.0 GB free")
    with pytest.raises(PreconditionError, match=r"1\.0 GB free"):
        await begin(shop, creating)
    shop.containers.failure["plan_restore_test"] = UnavailableError("pve does not answer")
    with pytest.raises(UnavailableError):
        await begin(shop, creating)
    shop.containers.failure.clear()
    request = pb.TestBackupRequest(app_id=APP.app_id, backup_id=creating)
    with pytest.raises(BackupNotFoundError):
        await shop.api.test_backup(request, call_of(STRANGER))
    assert (await shop.get(creating)).restore_test.status == "untested"


async def test_one_test_runs_on_a_node_and_on_a_backup_at_a_time(shop: Platform) -> None:
    first = await shop.make_completed()
    second = await shop.make_completed()
    call = call_of()
    request = pb.TestBackupRequest(app_id=APP.app_id, backup_id=first)
    await shop.api.test_backup(request, call)
    await shop.api.test_backup(request, call)  # the same request again
    with pytest.raises(BackupInUseError, match="being tested"):
        await begin(shop, first)
    with pytest.raises(NodeTestingError, match="node pve1"):
        await begin(shop, second)
    with pytest.raises(BackupInUseError, match="being tested"):
        await shop.delete(first)
    await shop.restore(first)  # the archive is only read; a person who restores does not wait
    assert await shop.run_all() == 2
    assert (await run(shop, second)).status == "passed"
    await shop.delete(first)


async def test_an_id_that_somebody_took_is_replaced(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    await begin(shop, backup_id)
    shop.containers.races = 1
    await shop.run_all()
    check_nothing_left(shop)
    assert (await shop.get(backup_id)).restore_test.status == "passed"


async def test_a_cancelled_test_leaves_nothing_and_says_so(shop: Platform) -> None:
    backup_id = await shop.make_completed()
    await begin(shop, backup_id)
    await shop.db.write(lambda c: c.execute(sa.update(operations).values(cancel_requested=True)))
    await shop.run_all()
    check_nothing_left(shop)
    test = (await shop.get(backup_id)).restore_test
    assert (test.status, test.failed_step) == ("untested", "")
    assert "cancelled" in test.message
