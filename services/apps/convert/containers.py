"""Messages about containers: discovery, adoption, reconciliation and places to move to."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.usecases.get_discovered_container import ContainerDetails
from services.apps.usecases.reconcile_apps import Reconciled
from services.clients.inventory.migration import MigrationTargets
from services.clients.inventory.values import Container
from services.common.rpc.responses.rendered import render_time


def render_reconciled(result: Reconciled) -> pb.ReconcileAppsResponse:
    """Render the findings of reconciliation."""
    return pb.ReconcileAppsResponse(
        success=True,
        message=f"Compared {result.checked} apps, found {len(result.findings)} differences",
        checked=result.checked,
        skipped_hosts=result.skipped,
        findings=[
            pb.ReconcileFinding(
                type=item.type,
                app_id=item.app_id or None,
                host_id=item.host_id,
                vmid=item.vmid,
                message=item.message,
                healed=item.healed,
                since=render_time(item.since) if item.since else None,
                destroyable_at=render_time(item.destroyable_at) if item.destroyable_at else None,
            )
            for item in result.findings
        ],
    )


def render_adoption(app: App, *, operation_id: str) -> pb.AdoptContainerResponse:
    """Render the app that a container becomes."""
    return pb.AdoptContainerResponse(
        success=True,
        message=f"Adopting {app.hostname}",
        app_id=app.id,
        vmid=app.vmid or 0,
        node=app.node,
        type=app.catalog_id,
        port_detection=f"manual:{app.internal_port}" if app.internal_port is not None else "automatic",
        operation_id=operation_id,
    )


def render_discovered(item: Container) -> app_pb2.DiscoveredContainer:
    """Render a container that no app owns."""
    return app_pb2.DiscoveredContainer(
        vmid=item.vmid,
        name=item.name,
        status=item.status,
        node=item.node,
        host_id=item.host_id,
        memory=item.memory,
        disk=item.disk,
        uptime=item.uptime,
        cpus=item.cpus,
        ip_address=item.address or None,
        tags=item.tags,
    )


def render_targets(
    app_id: str, found: MigrationTargets, *, obstacles: Sequence[str]
) -> pb.ListMigrationTargetsResponse:
    """Render the nodes that an app may go to."""
    return pb.ListMigrationTargetsResponse(
        app_id=app_id,
        node=found.node,
        targets=[
            pb.MigrationTarget(
                node=one.node,
                online=one.online,
                fits=not one.obstacle,
                reason=one.obstacle or one.warning,
                free_memory=one.free_memory,
            )
            for one in found.targets
        ],
        obstacles=obstacles,
    )


def render_details(details: ContainerDetails) -> pb.ContainerDetails:
    """Render a container that no app owns, and what runs in it."""
    inspected = details.inspected
    container = render_discovered(details.container)
    if inspected.address:
        container.ip_address = inspected.address
    return pb.ContainerDetails(
        container=container,
        ports=[
            pb.ListeningPort(port=one.port, protocol=one.protocol, process=one.process, http=one.http)
            for one in inspected.ports
        ],
        web_port=inspected.web_port,
        image=inspected.image or None,
        os=inspected.os or None,
        marked_for=details.container.owner or None,
        not_inspected=details.obstacle,
        obstacles=details.obstacles,
    )
