"""Defaults of deployments: resources and networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.inventory.domain.entities import DefaultResources, Network
from services.inventory.domain.interfaces import SettingsStore
from services.inventory.domain.patches import DefaultResourceChanges, NetworkChanges
from services.inventory.domain.user_networks import UserNetwork, list_allowed


@dataclass(frozen=True)
class NetworkDefaults:
    """The default network, when it was changed, and the networks that users may choose besides it."""

    network: Network
    updated_at: datetime
    user_networks: tuple[UserNetwork, ...] = ()


@dataclass(frozen=True)
class ResourceDefaults:
    """The default resources, and when they were changed."""

    resources: DefaultResources
    updated_at: datetime


async def get_resource_settings(settings: SettingsStore) -> ResourceDefaults:
    """Return the resources of deployments that name none."""
    return ResourceDefaults(*await settings.get_resources())


async def update_resource_settings(
    settings: SettingsStore, *, changes: DefaultResourceChanges
) -> ResourceDefaults:
    """Change the default resources."""
    return ResourceDefaults(*await settings.change_resources(changes))


async def get_network_settings(settings: SettingsStore) -> NetworkDefaults:
    """Return the default network and those that users may choose besides it."""
    network, updated_at = await settings.get_network()
    return NetworkDefaults(network, updated_at, tuple(await settings.list_user_networks()))


async def update_network_settings(
    settings: SettingsStore,
    *,
    changes: NetworkChanges,
    user_networks: Sequence[UserNetwork] | None = None,
) -> NetworkDefaults:
    """Change the default network and, unless it is None, the list of the others.

    Raises:
        InvalidError: the result would be no consistent network; nothing is changed.
    """
    await settings.change_network(changes, user_networks=user_networks)
    return await get_network_settings(settings)


async def list_networks(settings: SettingsStore) -> list[UserNetwork]:
    """List the networks that users may choose, the default one first."""
    network, _ = await settings.get_network()
    return list_allowed(network, await settings.list_user_networks())


async def get_deployment_defaults(settings: SettingsStore) -> tuple[ResourceDefaults, NetworkDefaults]:
    """Return what a deployment gets that names no resources and no network."""
    resources = await get_resource_settings(settings)
    return resources, NetworkDefaults(*await settings.get_network())
