"""PreviewRestore: volumes that are overwritten and destroyed, and what stands in the way of a restore."""

from __future__ import annotations

from typing import Any

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import BackupNotFoundError
from services.clients.inventory.values import Ref
from services.common.core.errors import BusyError, DomainError, DuplicateError, PreconditionError
from services.common.identity.tokens import User
from tests.fakes.apps import APP
from tests.unit.backups.platform import OWNER, PHOTOS, REF, STRANGER, Platform, call_of


async def preview(platform: Platform, backup_id: int, user: User = OWNER) -> pb.RestorePreview:
    request = pb.PreviewRestoreRequest(app_id=APP.app_id, backup_id=backup_id)
    return await platform.api.preview_restore(request, call_of(user))


async def test_volumes_that_are_overwritten_and_destroyed_are_named(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.unarchived = [PHOTOS]
    found = await preview(platform, backup_id)
    assert (found.possible, list(found.obstacles)) == (True, [])
    assert (found.lxc_id, found.node, found.stops_app, found.has_archive) == (REF.vmid, REF.node, True, True)
    assert [one.key for one in found.overwritten] == ["rootfs"]
    assert [(one.key, one.description) for one in found.destroyed] == [("mp0", PHOTOS.description)]
    assert found.restore_test == "untested"
    assert platform.apps.locks == {}
    assert (await platform.get(backup_id)).status == "completed", "nothing was begun"


async def test_what_stands_in_the_way_is_said(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    running = await platform.create()
    with pytest.raises(BusyError) as refused:
        await platform.restore(backup_id)
    assert list((await preview(platform, backup_id)).obstacles) == [refused.value.message]
    assert "only a completed one" in " ".join((await preview(platform, running)).obstacles)
    await platform.run_all()
    refusal = PreconditionError("mp3 is a bind mount that only root@pam may restore")
    platform.containers.failure["compare_volumes"] = refusal
    found = await preview(platform, backup_id)
    assert (found.possible, list(found.obstacles)) == (False, [refusal.message])
    platform.containers.failure.clear()
    platform.containers.archives.clear()
    found = await preview(platform, backup_id)
    assert (found.possible, found.has_archive) == (False, False)
    assert "gone from its storage" in " ".join(found.obstacles)
    platform.containers.complete = False
    assert not (await preview(platform, backup_id)).HasField("has_archive")


async def test_a_lost_container_has_nothing_to_overwrite(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.containers.pop(Ref(1, REF.vmid).vmid)
    found = await preview(platform, backup_id)
    assert (found.possible, list(found.overwritten)) == (True, [])


async def test_the_backup_of_a_deleted_app_is_restored_beside(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await platform.remove_app()
    found = await preview(platform, backup_id)
    assert not found.possible
    assert "new_hostname" in " ".join(found.obstacles)
    assert not found.HasField("lxc_id")


async def test_strangers_see_no_preview(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    with pytest.raises(BackupNotFoundError):
        await preview(platform, backup_id, STRANGER)


async def preview_beside(platform: Platform, backup_id: int, **place: Any) -> list[str]:
    """Return the obstacles of a restore beside that is refused, which are in the words of its refusal."""
    fields = {"app_id": APP.app_id, "backup_id": backup_id, "new_hostname": "web-02", **place}
    found = list(
        (await platform.api.preview_restore(pb.PreviewRestoreRequest(**fields), call_of())).obstacles
    )
    with pytest.raises(DomainError) as refused:
        await platform.api.restore_backup(pb.RestoreBackupRequest(**fields), call_of())
    assert refused.value.message == found[0]
    return found


async def test_a_restore_beside_is_previewed_in_the_words_of_its_refusals(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.offline.add("pve2")
    platform.apps.refusal = DuplicateError("hostname web-02 is that of another app")
    place, hostname = await preview_beside(platform, backup_id, node="pve2")
    assert "node pve2: it is offline" in place
    assert await preview_beside(platform, backup_id) == [hostname] == [platform.apps.refusal.message]
    (elsewhere, _) = await preview_beside(platform, backup_id, host_id=2)
    assert "host-2 has no storage with the archive" in elsewhere
    platform.apps.refusal = None
    request = pb.PreviewRestoreRequest(app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02")
    assert (await platform.api.preview_restore(request, call_of())).possible
    assert (await platform.get(backup_id)).status == "completed", "nothing was begun"
