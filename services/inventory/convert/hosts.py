"""Protobuf <-> domain: hosts and their nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from google.protobuf import json_format
from proximity.inventory.v1 import container_service_pb2, host_pb2
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.rpc.handlers import parse_patch
from services.common.rpc.responses.rendered import render_time
from services.inventory.domain.entities import (
    DEFAULT_PORT,
    DEFAULT_SSH_PORT,
    DEFAULT_USER,
    Host,
    NewHost,
    Node,
    Secrets,
    full_token_id,
)
from services.inventory.domain.patches import HostChanges
from services.inventory.domain.ssh_addresses import parse_ssh_addresses
from services.inventory.domain.storages import StorageOnNode
from services.inventory.usecases.hosts import HostTest

_SECRETS = ("password", "token_secret", "ssh_key")


def parse_host_id(request: Any) -> int | None:
    """Return the host that a request names, or None for all."""
    return request.host_id if request.HasField("host_id") else None


def parse_new_host(request: pb.CreateHostRequest) -> NewHost:
    """Parse a host to register.

    Raises:
        InvalidError: its credentials are not complete.
    """
    return replace(parse_trial(request), name=request.name, is_default=request.is_default)


def parse_trial(request: pb.CreateHostRequest | pb.TestNewHostRequest) -> NewHost:
    """Parse the address and the credentials of a host that is not registered.

    Raises:
        InvalidError: its credentials are not complete.
    """
    user = request.user or DEFAULT_USER
    return NewHost(
        name=request.host,
        host=request.host,
        port=request.port or DEFAULT_PORT,
        user=user,
        ssh_port=request.ssh_port or DEFAULT_SSH_PORT,
        verify_ssl=request.verify_ssl if request.HasField("verify_ssl") else True,
        fingerprint=request.fingerprint,
        token_id=full_token_id(user, request.token_id),
        ssh_addresses=parse_ssh_addresses(json_format.MessageToDict(request.ssh_addresses)),
        secrets=Secrets(**{name: getattr(request, name) for name in _SECRETS}),
    )


def parse_host_changes(request: pb.UpdateHostRequest) -> HostChanges:
    """Parse the changes of a host.

    Raises:
        InvalidError: an SSH address is none.
    """
    addresses = None
    if request.HasField("ssh_addresses"):
        addresses = parse_ssh_addresses(json_format.MessageToDict(request.ssh_addresses))
    return parse_patch(request, HostChanges, ssh_addresses=addresses)


def render_host(host: Host) -> host_pb2.Host:
    """Render a host without its secrets."""
    message = host_pb2.Host(
        id=host.id,
        name=host.name,
        host=host.host,
        port=host.port,
        user=host.user,
        ssh_port=host.ssh_port,
        verify_ssl=host.verify_ssl,
        is_active=host.is_active,
        is_default=host.is_default,
        status=host.status,
        version=host.version or None,
        fingerprint=host.fingerprint or None,
        last_error=host.last_error or None,
        exec_mode=host.exec_mode,
        token_id=host.token_id or None,
        ssh_addresses=host.ssh_addresses,
        created_at=render_time(host.created_at),
        updated_at=render_time(host.updated_at),
        certificate_expires_at=render_time(host.certificate_expires_at),
    )
    # An unset timestamp is absent in JSON; a zero one would be 1970.
    if host.last_seen is not None:
        message.last_seen.FromDatetime(host.last_seen)
    return message


def render_node(node: Node, *, with_address: bool = True) -> host_pb2.Node:
    """Render a node; only administrators see its address."""
    return host_pb2.Node(
        id=node.id,
        host_id=node.host_id,
        host_name=node.host_name,
        name=node.name,
        status=node.status,
        cpu_count=node.cpu_count,
        cpu_usage=node.cpu_usage,
        memory_total=node.memory_total,
        memory_used=node.memory_used,
        storage_total=node.storage_total,
        storage_used=node.storage_used,
        uptime=node.uptime,
        ip_address=(node.ip_address or None) if with_address else None,
        pve_version=node.pve_version or None,
        lxc_count=node.lxc_count,
        last_updated=render_time(node.last_updated),
        architecture=node.architecture or None,
        allocated_cpus=node.allocated.cpus if node.allocated else None,
        allocated_memory=node.allocated.memory if node.allocated else None,
        allocated_disk=node.allocated.disk if node.allocated else None,
    )


def render_storage(host: Host, storage: StorageOnNode) -> host_pb2.Storage:
    """Render a storage of a host as a node sees it."""
    return host_pb2.Storage(
        host_id=host.id,
        host_name=host.name,
        node=storage.node,
        name=storage.name,
        type=storage.type,
        content=storage.content,
        shared=storage.shared,
        available=storage.available,
        total=storage.total,
        used=storage.used,
    )


def render_capacity(nodes: Sequence[Node]) -> container_service_pb2.ListCapacityResponse:
    """Render nodes without their addresses."""
    rendered = [render_node(node, with_address=False) for node in nodes]
    return container_service_pb2.ListCapacityResponse(nodes=rendered)


def render_host_test(outcome: HostTest) -> pb.TestHostResponse:
    """Render the outcome of a test of a host."""
    return pb.TestHostResponse(**vars(outcome))
