"""Every long operation: what must be there before it, and how it is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from proximity.backups.v1 import backups_service_pb2 as pb

from deploy.import_django.apps import begin_import
from services.apps.domain.changes import RemoveApp
from services.apps.domain.entities import App
from services.apps.domain.resources import ResourceChanges
from services.apps.domain.values import ValueChanges
from services.apps.usecases.adoption import adopt_container
from services.apps.usecases.clone_app import clone_app
from services.apps.usecases.destroy_duplicate import destroy_duplicate
from services.apps.usecases.destroy_orphan import destroy_orphan
from services.apps.usecases.migrate_app import migrate_app
from services.apps.usecases.reconcile_apps import Reconciler
from services.apps.usecases.update_app import RequestedChanges, update_app
from services.apps.usecases.upgrades import rollback_app, upgrade_app
from services.clients.inventory.values import Ref
from services.common.core.clock import now
from tests.failpoints.moving import export, import_document
from tests.failpoints.platform import Platform, asked, call
from tests.pvesim.model.entities import Container

STRANGER = 103
_DUPLICATE = 9500


@dataclass(frozen=True)
class Scene:
    """One workflow.

    Attributes:
        kind: of the operation.
        desk: the service that carries it out.
        prepare: brings the platform to where it can be asked for; what it returns is given to `ask`.
        ask: asks for it.
        final: there is no way back from it.
        leaves: something is left that an undo after the last step has to take away.
        stride: only every `stride`-th checkpoint is tried, where each takes long.
    """

    name: str
    kind: str
    prepare: Callable[[Platform], Awaitable[Any]]
    ask: Callable[[Platform, Any], Awaitable[Any]]
    desk: str = "apps"
    final: bool = False
    leaves: bool = True
    stride: int = 1


async def _prepare_nothing(_: Platform) -> None:
    return None


async def _prepare_app(platform: Platform) -> str:
    app = await platform.deploy()
    await platform.settle()
    return app.id


async def _prepare_app_on_lvm(platform: Platform) -> str:
    app = await platform.deploy(storage="local-lvm")
    await platform.settle()
    return app.id


async def _prepare_stopped_app(platform: Platform) -> str:
    app_id = await _prepare_app(platform)
    await platform.act(app_id, "stop")
    await platform.settle()
    return app_id


async def _prepare_adopted_app(platform: Platform) -> str:
    app_id = await _adopt(platform, None)
    await platform.settle()
    return app_id


async def _prepare_backup(platform: Platform) -> tuple[str, int]:
    app_id = await _prepare_app(platform)
    backup_id = await platform.back_up(app_id)
    await platform.settle()
    return app_id, backup_id


async def _prepare_backup_of_removed_app(platform: Platform) -> tuple[str, int]:
    app_id, backup_id = await _prepare_backup(platform)
    await platform.act(app_id, "delete")
    await platform.settle()
    return app_id, backup_id


async def _prepare_orphan(platform: Platform) -> int:
    app = await platform.apps.get_app(await _prepare_app(platform))
    await platform.apps.change(RemoveApp(app.id))
    for _ in range(2):
        await Reconciler(platform.apps, platform.dependencies.containers, grace=timedelta(0)).reconcile()
    return app.vmid or 0


async def _destroy_orphan(platform: Platform, vmid: int) -> None:
    await destroy_orphan(platform.dependencies, Ref(1, vmid), requester=asked(), grace=timedelta(0))


async def _prepare_duplicate(platform: Platform) -> tuple[str, int]:
    app = await platform.apps.get_app(await _prepare_app(platform))
    own = platform.proxmox.cluster.containers[app.vmid or 0]
    platform.proxmox.cluster.add_container(Container(_DUPLICATE, own.node, dict(own.config)))
    for _ in range(2):
        await Reconciler(platform.apps, platform.dependencies.containers, grace=timedelta(0)).reconcile()
    return app.id, _DUPLICATE


async def _destroy_duplicate(platform: Platform, made: tuple[str, int]) -> None:
    await destroy_duplicate(
        platform.dependencies, Ref(1, made[1]), requester=asked(), app_id=made[0], grace=timedelta(0)
    )


async def _adopt(platform: Platform, _: None) -> str:
    ref = Ref(1, STRANGER, "pve1")
    app = await adopt_container(
        platform.dependencies, ref, requester=asked(), kind="custom", port=80, owner_id=7
    )
    return app.id


async def _clone(platform: Platform, app_id: str) -> None:
    source = await platform.apps.get_app(app_id)
    await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")


async def _update(platform: Platform, app_id: str) -> None:
    app = await platform.apps.get_app(app_id)
    await update_app(
        platform.dependencies,
        app.id,
        requester=asked(),
        changes=RequestedChanges(
            resources=ResourceChanges(memory=1024, disk_size=30),
            values=ValueChanges(environment={"PASSWORD": "other"}),
        ),
    )


async def _upgrade(platform: Platform, app_id: str) -> None:
    platform.catalog.revisions = ["r1", "r2"]
    await upgrade_app(platform.dependencies, app_id, requester=asked())


async def _prepare_upgraded_app(platform: Platform) -> str:
    app_id = await _prepare_app_on_lvm(platform)
    await _upgrade(platform, app_id)
    await platform.settle()
    return app_id


async def _roll_back(platform: Platform, app_id: str) -> None:
    await rollback_app(platform.dependencies, app_id, requester=asked())


async def _import(platform: Platform, _: None) -> None:
    current = now()
    app = App(
        id="nginx-0000000f",
        catalog_id="nginx",
        name="old",
        hostname="old-box",
        status="adopting",
        host_id=1,
        node="pve1",
        vmid=STRANGER,
        owner_id=7,
        runtime="adopted",
        adopted=True,
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )
    assert await platform.apps.add_app(app, begin_import(app, "running"))


async def _migrate(platform: Platform, app_id: str) -> None:
    app = await platform.apps.get_app(app_id)
    await migrate_app(platform.dependencies, app.id, requester=asked(), node="pve2")


async def _restore(platform: Platform, made: tuple[str, int]) -> None:
    await platform.backups.restore_backup(pb.RestoreBackupRequest(app_id=made[0], backup_id=made[1]), call())


async def _restore_beside(platform: Platform, made: tuple[str, int]) -> None:
    request = pb.RestoreBackupRequest(app_id=made[0], backup_id=made[1], new_hostname="web-02")
    await platform.backups.restore_backup(request, call())


async def _import_exported(platform: Platform, made: tuple[str, int]) -> None:
    document = await export(platform, made[0])
    await import_document(platform, document, archive=document["archive"]["volume_id"])


async def _import_without_data(platform: Platform, app_id: str) -> None:
    await import_document(platform, await export(platform, app_id))


async def _delete_backup(platform: Platform, made: tuple[str, int]) -> None:
    await platform.backups.delete_backup(pb.DeleteBackupRequest(app_id=made[0], backup_id=made[1]), call())


async def _test_backup(platform: Platform, made: tuple[str, int]) -> None:
    await platform.backups.test_backup(pb.TestBackupRequest(app_id=made[0], backup_id=made[1]), call())


async def _check_backup(platform: Platform, made: tuple[str, int]) -> None:
    await platform.backups.check_backup(pb.CheckBackupRequest(app_id=made[0], backup_id=made[1]), call())


def _act(action: str) -> Callable[[Platform, str], Awaitable[None]]:
    return lambda platform, app_id: platform.act(app_id, action)


SCENES = (
    Scene("deploy", "deploy_app", _prepare_nothing, lambda platform, _: platform.deploy()),
    Scene(
        "deploy an image",
        "deploy_app",
        _prepare_nothing,
        lambda platform, _: platform.deploy(runtime="oci"),
    ),
    Scene("start", "start_app", _prepare_stopped_app, _act("start")),
    Scene("stop", "stop_app", _prepare_app, _act("stop")),
    Scene("restart", "restart_app", _prepare_app, _act("restart")),
    Scene("clone", "clone_app", _prepare_stopped_app, _clone),
    Scene("clone while it runs", "clone_app", _prepare_app_on_lvm, _clone),
    Scene("clone of what must stop", "clone_app", _prepare_app, _clone),
    Scene("adopt", "adopt_container", _prepare_nothing, _adopt),
    Scene("delete", "delete_app", _prepare_app, _act("delete"), final=True),
    Scene("delete adopted", "delete_app", _prepare_adopted_app, _act("delete"), final=True),
    Scene("destroy orphan", "destroy_orphan", _prepare_orphan, _destroy_orphan, final=True),
    Scene("destroy duplicate", "destroy_duplicate", _prepare_duplicate, _destroy_duplicate, final=True),
    Scene("update", "update_app", _prepare_app_on_lvm, _update),
    Scene("upgrade", "upgrade_app", _prepare_app_on_lvm, _upgrade, stride=3),
    Scene("roll back", "rollback_app", _prepare_upgraded_app, _roll_back, stride=3),
    Scene("import", "import_app", _prepare_nothing, _import, final=True),
    Scene("migrate", "migrate_app", _prepare_app, _migrate),
    Scene("backup", "create_backup", _prepare_app, lambda p, app_id: p.back_up(app_id), "backups"),
    Scene("restore", "restore_backup", _prepare_backup, _restore, "backups"),
    Scene("restore beside", "restore_beside", _prepare_backup, _restore_beside),
    Scene("restore of a removed app", "restore_beside", _prepare_backup_of_removed_app, _restore_beside),
    Scene("import of an export", "import_exported_app", _prepare_backup, _import_exported),
    Scene(
        "import of an export without data",
        "import_exported_app",
        _prepare_app,
        _import_without_data,
        stride=4,
    ),
    Scene("test backup", "test_backup", _prepare_backup, _test_backup, "backups", leaves=False),
    Scene("check backup", "check_backup", _prepare_backup, _check_backup, "backups", leaves=False),
    Scene("delete backup", "delete_backup", _prepare_backup, _delete_backup, "backups", final=True),
)
