"""RestoreTestContainer."""

from __future__ import annotations

from typing import Any

from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View
from services.inventory.domain.errors import NotOursError
from services.inventory.domain.restore_tests import (
    check_isolated,
    check_testable,
    is_test_owner,
    list_removable,
    list_tested_disks,
    render_links,
)
from services.inventory.proxmox.archives import read_configuration
from services.inventory.proxmox.containers import ContainerLookup, act
from services.inventory.proxmox.marks import check_owner, find_owner, render_test_marks
from services.inventory.usecases.create_container import resume_creation

_RESTORING = ("vzrestore", "vzcreate")


async def restore_test_container(
    containers: ContainerLookup,
    ref: ContainerRef,
    *,
    owner: str,
    archive: str,
    storage: str,
    bridge: str = "",
) -> ProxmoxTask:
    """Make a container of an archive for a restore test; one that is there is checked to be isolated.

    It has the marks of the test in place of those of the app, and none of the app's networks, bind mounts, devices and hooks.
    It does not start with its node. Devices and hooks come back with the restore; the second call, before the first start,
    removes them.

    Raises:
        NotOursError: the owner is no restore test.
        RestoreTestUnsupportedError: it could not be isolated.
        NotIsolatedError: it is there, and is not isolated.
        VmidTakenError: its id is not reserved for the owner, or belongs to somebody else.
        CreationBrokenError: an earlier restore was broken off; destroy what it left.
    """
    if not is_test_owner(owner):
        raise NotOursError(f"{owner!r} is no restore test")
    view = await containers.find(ref)
    if view is not None:
        if task := view.find_task(_RESTORING):
            return task
        if view.is_unfinished or find_owner(view.config) != owner:
            return await resume_creation(containers, view, owner=owner, types=_RESTORING)
        return await _isolate(view, owner=owner, bridge=bridge)
    await containers.check_reserved(ref, owner)
    client = await containers.fleet.get_client(ref.host_id)
    saved = await read_configuration(client, archive)
    check_testable(saved, is_full_root=client.access.is_full_root)
    options: dict[str, Any] = {
        "vmid": ref.vmid,
        "ostemplate": archive,
        "restore": 1,
        "start": 0,
        "onboot": 0,
        "protection": 0,
        "hostname": f"restore-test-{ref.vmid}",
        **render_test_marks(owner),
        # No `unique`: it takes the networks of the archive and overrules those that are given.
        **render_links(saved, bridge),
        "storage": storage,
        # With these named, Proxmox recovers no other mount point, and so no bind mount.
        **{
            one.key: one.render(f"{storage}:{one.size_gb:g}" if one.size_gb else f"{storage}:4")
            for one in list_tested_disks(saved)
        },
    }
    new = View(client, ref.node, ref.vmid, {})
    return await act(new, lambda: client.post(f"/nodes/{ref.node}/lxc", **options), types=_RESTORING)


async def _isolate(view: View, *, owner: str, bridge: str) -> ProxmoxTask:
    """Remove what a restore brings back besides the archive's data, and check what is left."""
    check_owner(view.config, owner, vmid=view.vmid)
    config = view.config
    if not view.is_running and (removable := list_removable(config)):
        await view.client.put(f"{view.path}/config", delete=",".join(removable), digest=config.get("digest"))
        config = await view.client.get(f"{view.path}/config")
    check_isolated(config, bridge)
    return view.done()
