"""ListMigrationTargets: the nodes that an app fits, for its owner."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError, AppStateError
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.migration import TargetNode
from tests.fakes.apps_service import Service, call


async def test_nodes_come_with_the_reason_why_the_app_does_not_fit(service: Service) -> None:
    app = await service.deploy()
    request = pb.ListMigrationTargetsRequest(app_id=app.id)
    with pytest.raises(AppStateError, match="has no container"):
        await service.api.list_migration_targets(request, call())
    await service.platform.run()
    service.platform.containers.targets = (
        TargetNode(node="pve2", online=True, free_memory=5.0),
        TargetNode(node="pve4", online=True, warning="it has little memory"),
        TargetNode(node="pve3", online=False, obstacle="it is offline"),
    )
    answer = await service.api.list_migration_targets(request, call())
    assert (answer.app_id, answer.node) == (app.id, "pve1")
    assert [(one.node, one.online, one.fits, one.reason, one.free_memory) for one in answer.targets] == [
        ("pve2", True, True, "", 5.0),
        ("pve4", True, True, "it has little memory", 0.0),
        ("pve3", False, False, "it is offline", 0.0),
    ]
    assert list(answer.obstacles) == []
    await service.api.perform_app_action(pb.PerformAppActionRequest(app_id=app.id, action="stop"), call())
    obstacles = list((await service.api.list_migration_targets(request, call())).obstacles)
    with pytest.raises(AppBusyError) as refused:
        await service.api.migrate_app(pb.MigrateAppRequest(app_id=app.id, target_node="pve2"), call())
    assert obstacles == [refused.value.message]
    with pytest.raises(AppNotFoundError):
        await service.api.list_migration_targets(request, call(2))
