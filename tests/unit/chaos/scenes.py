"""A small world in which everything holds, to be broken in one place at a time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from services.inventory.proxmox.marks import render_description
from tests.chaos.evidence import Evidence, Row
from tests.chaos.history import Exchange

USER, OTHER, APP, VMID = 1, 2, "adminer-1", 9000
ARCHIVE = "backup:backup/vzdump-lxc-9000-2026_01_01-00_00_00.tar.zst"
BEGAN, ENDED = datetime.fromtimestamp(50, UTC), datetime.fromtimestamp(100, UTC)


def make_exchange(action: str, **values: Any) -> Exchange:
    """An exchange of `USER` about `APP`, accepted a second after it was sent."""
    base: dict[str, Any] = {
        "user_id": USER,
        "action": action,
        "subject": APP,
        "method": "POST",
        "path": "/apps",
        "sent": 10.0,
        "answered": float(values.get("sent", 10.0)) + 1,
        "status": 202,
    }
    return Exchange(**{**base, **values})


def make_operation(kind: str, operation_id: str, **values: Any) -> Row:
    """An operation on `APP` that succeeded at second 100."""
    base = {
        "id": operation_id,
        "subject": APP,
        "kind": kind,
        "status": "succeeded",
        "error": "",
        "waiting_for": "",
        "state": {"backup_id": 1},
        "created_at": BEGAN,
        "finished_at": ENDED,
        "requested_by": USER,
    }
    return {**base, **values}


def make_container(vmid: int, owner: str, **config: Any) -> Row:
    """A running container with an owner's marks; with none, a stranger's."""
    marks = {"tags": "proximity", "description": render_description(owner)} if owner else {}
    base = {"hostname": f"h{vmid}", "memory": 256, "rootfs": f"local-lvm:vm-{vmid}-disk-0"}
    return {"vmid": vmid, "node": "pve1", "running": True, "config": {**base, **marks, **config}}


def make_volume(content: str, volid: str, **values: Any) -> Row:
    """Something on a storage."""
    return {"content": content, "volid": volid, "node": "", "vmid": VMID, "notes": None, **values}


def make_entry(message_id: str, action: str, **values: Any) -> Row:
    """An audit entry of a call of `USER` that was accepted."""
    return {"message_id": message_id, "user_id": USER, "action": action, "outcome": "OK", **values}


def make_step(operation_id: str, *upids: str) -> Row:
    """A step that began at second 50 and noted these tasks."""
    return {
        "operation_id": operation_id,
        "name": "work",
        "upids": list(upids),
        "started_at": BEGAN,
        "status": "done",
    }


def make_task(kind: str, upid: str, **values: Any) -> Row:
    """A task that succeeded."""
    return {"type": kind, "upid": upid, "id": str(VMID), "endtime": 1, "exitstatus": "OK", **values}


DEPLOYED = make_exchange("deploy", subject="", key="k1", status=201, answer={"id": APP})
BACKED_UP = make_exchange("back_up", key="k2", sent=20.0, answered=21.0, answer={"id": 1})
DEPLOY_ID, BACKUP_ID = DEPLOYED.operation_id, BACKED_UP.operation_id


def make_world() -> Evidence:
    """One app that was deployed and backed up, and one stranger."""
    stranger = make_container(101, "")
    app = {
        "id": APP,
        "name": "Web",
        "hostname": "h9000",
        "status": "running",
        "host_id": 1,
        "node": "pve1",
        "vmid": VMID,
        "owner_id": USER,
        "public_port": 8100,
        "config": {"memory": 256},
        "adopted": False,
        "error": "",
    }
    backup = {
        "id": 1,
        "app_id": APP,
        "status": "completed",
        "test_status": "untested",
        "volume_id": ARCHIVE,
        "mark": BACKUP_ID,
        "policy_id": None,
    }
    volumes = [
        make_volume("rootdir", "local-lvm:vm-101-disk-0", vmid=101),
        make_volume("rootdir", "local-lvm:vm-9000-disk-0"),
        make_volume("backup", ARCHIVE, notes=f"proximity-backup: {BACKUP_ID}"),
    ]
    return Evidence(
        history=(DEPLOYED, BACKED_UP),
        apps=(app,),
        ports=({"host_id": 1, "public_port": 8100, "app_id": APP},),
        operations=(
            make_operation("deploy_app", DEPLOY_ID),
            make_operation("backup", BACKUP_ID),
        ),
        steps=(make_step(DEPLOY_ID, "create"),),
        vmids=({"host_id": 1, "vmid": VMID, "owner": APP},),
        backups=(backup,),
        backup_operations=(make_operation("create_backup", BACKUP_ID),),
        backup_steps=(make_step(BACKUP_ID, "dump"),),
        outboxes={"apps": 0},
        poison={"apps": 0},
        audit=(
            make_entry(f"audit-{DEPLOY_ID}-1", "apps.DeployApp"),
            make_entry(f"audit-{BACKUP_ID}-1", "backups.CreateBackup"),
        ),
        before={"containers": {"101": stranger}, "volumes": volumes[:1]},
        after={
            "containers": {"101": stranger, str(VMID): make_container(VMID, APP)},
            "volumes": volumes,
            "tasks": [make_task("vzcreate", "create"), make_task("vzdump", "dump")],
        },
        pages={APP: 200},
    )


def change_app(world: Evidence, **values: Any) -> Evidence:
    """The world with other columns of the app."""
    return dataclasses.replace(world, apps=({**world.apps[0], **values},))


def change_backup(world: Evidence, **values: Any) -> Evidence:
    """The world with other columns of the backup."""
    return dataclasses.replace(world, backups=({**world.backups[0], **values},))


def add_history(world: Evidence, *exchanges: Exchange) -> Evidence:
    """The world with more exchanges."""
    return dataclasses.replace(world, history=(*world.history, *exchanges))


def add_audit(world: Evidence, *entries: Row) -> Evidence:
    """The world with more audit entries."""
    return dataclasses.replace(world, audit=(*world.audit, *entries))


def add_operation(world: Evidence, operation: Row) -> Evidence:
    """The world with one more operation."""
    return dataclasses.replace(world, operations=(*world.operations, operation))


def change_proxmox(world: Evidence, **values: Any) -> Evidence:
    """The world with another state of Proxmox."""
    return dataclasses.replace(world, after={**world.after, **values})


def add_container(world: Evidence, container: Row) -> Evidence:
    """The world with a container more, or another one in the place of one."""
    containers = {**world.after["containers"], str(container["vmid"]): container}
    return change_proxmox(world, containers=containers)


def adopt_stranger(world: Evidence, after: Row) -> Evidence:
    """The world in which the adoption of container 101 was asked for, with what the container is now."""
    asked = make_exchange("adopt", subject="", key="k9", status=400, body={"vmid": 101})
    return add_container(add_history(world, asked), after)
