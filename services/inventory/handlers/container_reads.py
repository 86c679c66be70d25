"""RPCs of ContainerService that change nothing, one method each."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from google.protobuf import empty_pb2
from proximity.common.v1 import metrics_pb2
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.call import Call
from services.inventory.convert import containers as convert
from services.inventory.convert import settings as convert_settings
from services.inventory.convert.hosts import parse_host_id, render_capacity
from services.inventory.convert.metrics import render_history
from services.inventory.domain.interfaces import (
    CandidateReader,
    ContainerAccess,
    ContainerScanner,
    HostStore,
    PortProber,
    SettingsStore,
)
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.usecases import containers, guests, hosts
from services.inventory.usecases.list_migration_targets import list_migration_targets
from services.inventory.usecases.metrics import get_container_metrics
from services.inventory.usecases.settings import get_deployment_defaults


class ContainerReadHandlers:
    """The part of ContainerService that changes nothing."""

    _access: ContainerAccess
    _candidates: CandidateReader
    _containers: ContainerLookup
    _hosts: HostStore
    _ports: PortProber
    _scanner: ContainerScanner
    _settings: SettingsStore

    async def get_container(self, request: cs.GetContainerRequest, _call: Call) -> cs.Container:
        found = await containers.get_container(self._containers, convert.parse_ref(request.container))
        return convert.render_container(found)

    async def list_containers(
        self, request: cs.ListContainersRequest, _call: Call
    ) -> cs.ListContainersResponse:
        scans = await containers.list_containers(
            self._hosts,
            self._scanner,
            host_id=parse_host_id(request),
            with_addresses=request.with_addresses,
            brief=request.brief,
        )
        return convert.render_scans(scans)

    async def find_owned_containers(
        self, request: cs.FindOwnedContainersRequest, _call: Call
    ) -> cs.FindOwnedContainersResponse:
        found = await containers.find_owned_containers(
            self._hosts,
            self._scanner,
            owner=request.owner,
            host_id=request.host_id,
            hostname=request.hostname,
        )
        return cs.FindOwnedContainersResponse(containers=[convert.render_container(one) for one in found])

    async def inspect_container(self, request: cs.GetContainerRequest, _call: Call) -> cs.Inspection:
        ref = convert.parse_ref(request.container)
        found = await guests.inspect_container(self._containers, self._access, ports=self._ports, ref=ref)
        return convert.render_inspection(found)

    async def get_container_metrics(
        self, request: cs.GetContainerMetricsRequest, _call: Call
    ) -> metrics_pb2.MetricHistory:
        history = await get_container_metrics(
            self._hosts,
            self._containers,
            ref=convert.parse_ref(request.container),
            owner=request.owner,
            timeframe=request.range,
        )
        return render_history(history)

    async def list_migration_targets(
        self, request: cs.GetOwnedContainerRequest, _call: Call
    ) -> cs.ListMigrationTargetsResponse:
        node, targets = await list_migration_targets(
            self._hosts,
            self._containers,
            candidates=self._candidates,
            ref=convert.parse_ref(request.container),
            owner=request.owner,
        )
        return convert.render_targets(node, targets)

    async def list_capacity(self, _: empty_pb2.Empty, _call: Call) -> cs.ListCapacityResponse:
        return render_capacity(await hosts.list_capacity(self._hosts))

    async def get_deployment_defaults(self, _: empty_pb2.Empty, _call: Call) -> cs.DeploymentDefaults:
        return convert_settings.render_defaults(*await get_deployment_defaults(self._settings))
