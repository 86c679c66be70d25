"""Imports of apps: what is requested and chosen, and the rules of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from services.apps.domain.config import AppConfig, ContainerLimits
from services.apps.domain.errors import ArchiveMismatchError, DataMissingError
from services.apps.domain.exported_app import ExportedDocument
from services.clients.inventory.restore_plans import ArchivedContainer, RestoreOrder, RestorePlacement
from services.clients.inventory.values import Defaults, Placement, Wanted
from services.common.core.errors import DomainError, invalid_field

# Settings of a deployment that an import takes; the others are those of the document.
_SETTABLE = frozenset({"memory", "cores", "disk_size", "swap", "storage", "bridge", "vlan", "network"})
_SHARED = ("dhcp", "static", "")
_LEAST_SIZE = 2  # bytes: a Proxmox Backup Server states 1 where it does not know the size


@dataclass(frozen=True)
class ArchivePlace:
    """An archive as Proxmox names it, and the host that sees it."""

    host_id: int
    volume_id: str


@dataclass(frozen=True, kw_only=True)
class ImportOrder:
    """An import that an administrator requests.

    Attributes:
        archive: of the app's data; None: it is deployed anew.
        config: what differs from the document.
        environment: values that the document does not have.
    """

    app_id: str
    document: ExportedDocument
    passphrase: str = field(default="", repr=False)
    archive: ArchivePlace | None = None
    hostname: str
    name: str
    node: str = ""
    host_id: int | None = None
    owner_id: int
    config: AppConfig
    network_cidr: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class ImportPlan:
    """Choices of an import, and what stands in its way.

    Attributes:
        runtime: compose or oci; what runs in a container that was adopted is not managed, as that of an image.
        environment, inputs: all values, also the sealed ones.
        obstacles: empty: it can begin.
        warnings: what differs here, or is not imported.
        placement, restore: None where there is no place; `restore` also without an archive.
        address: a CIDR, `static`, or empty for DHCP.
        catalog_item: known, unknown or, while the catalog does not answer, empty.
        missing: names of values that have to be given.
    """

    order: ImportOrder
    runtime: str
    resources: ContainerLimits
    environment: Mapping[str, str] = field(repr=False)
    inputs: Mapping[str, str] = field(repr=False)
    defaults: Defaults
    obstacles: tuple[DomainError, ...] = ()
    warnings: tuple[str, ...] = ()
    placement: Placement | None = None
    restore: RestorePlacement | None = None
    bridge: str = ""
    address: str = ""
    catalog_item: str = ""
    missing: tuple[str, ...] = ()


def check_request(order: ImportOrder) -> None:
    """Refuse a request that contradicts its document.

    Raises:
        InvalidError: naming the field.
        DataMissingError: it names no archive, and the app has no definition.
    """
    for key in order.config.to_json():
        if key not in _SETTABLE:
            raise invalid_field(f"config.{key}", "is that of the document, and cannot be set for an import")
    if order.archive is None and not order.document.app.is_deployable:
        raise DataMissingError(
            f"{order.document.app.id} has no definition that could be deployed, as it was adopted: name its archive"
        )
    # A passphrase that opens nothing was meant for another document.
    if order.document.sealed is None and order.passphrase:
        raise invalid_field("passphrase", "the document has no sealed values; leave it out")
    if order.document.sealed is not None and not order.passphrase:
        raise invalid_field("passphrase", "the document has sealed values; give the passphrase of the export")


def describe_restore(host_id: int, archive: str, *, node: str, storage: str) -> RestoreOrder:
    """Return the restore of an archive that may be of another platform; `host_id` is where it becomes a container."""
    return RestoreOrder(
        source_host_id=host_id,
        archive=archive,
        host_id=host_id,
        node=node,
        required_storage=storage,
        foreign=True,
    )


def check_archive(order: ImportOrder, archived: ArchivedContainer) -> None:
    """Refuse the archive of another app, and a copy that is not complete.

    Raises:
        ArchiveMismatchError: with both sides.
    """
    document, place = order.document, order.archive
    app, known = document.app, document.archive
    assert place is not None
    if archived.owner and archived.owner != app.id:
        raise ArchiveMismatchError(
            f"{place.volume_id} was made of the app {archived.owner}, and the document describes {app.id}"
        )
    is_named = known is not None and place.volume_id.endswith(f"/{known.file_name}")
    if not archived.owner and not is_named and archived.hostname != app.hostname:
        raise ArchiveMismatchError(
            f"{place.volume_id} was made of the container {archived.hostname or archived.vmid}, and the document describes "
            f"{app.hostname}"
        )
    if (
        known is not None
        and is_named
        and min(known.size, archived.size) >= _LEAST_SIZE
        and known.size != archived.size
    ):
        raise ArchiveMismatchError(
            f"{place.volume_id} has {archived.size} bytes, and the archive of the document has {known.size}: copy it again"
        )


def choose_resources(
    order: ImportOrder, defaults: Defaults, *, restore: RestorePlacement | None
) -> ContainerLimits:
    """Choose the resources: as requested, else as exported; the root disk is at least as large as that of the archive."""
    wanted, exported = order.config, order.document.app.config
    swap = exported.swap if wanted.swap is None else wanted.swap
    disk = wanted.disk_size or exported.disk_size or defaults.disk_size
    return ContainerLimits(
        memory=wanted.memory or exported.memory or defaults.memory,
        cores=wanted.cores or exported.cores or defaults.cores,
        disk_size=max(disk, ceil(restore.archived.disk_gb) if restore else 0),
        swap=defaults.swap if swap is None else swap,
    )


def choose_address(order: ImportOrder) -> str:
    """Choose the address: as requested, else another static one, as that of the app is of another network, or DHCP."""
    requested = order.network_cidr or order.config.network
    if requested:
        return "" if requested == "dhcp" else requested
    return "" if order.document.app.rendering.network_cidr in ("dhcp", "") else "static"


def describe_place(
    order: ImportOrder, restore: RestorePlacement | None, *, resources: ContainerLimits, address: str
) -> Wanted:
    """Return the requirements on the place of an import."""
    app = order.document.app
    return Wanted(
        host_id=order.archive.host_id if order.archive else order.host_id,
        node=restore.node if restore else order.node,
        memory=resources.memory,
        disk_size=resources.disk_size,
        storage=order.config.storage,
        oci=app.runtime == "oci",
        bridge=order.config.bridge,
        vlan=order.config.vlan or 0,
        network_cidr=address,
        any_network=True,
        # No owner: the address is reserved when the container is made.
        architectures=(restore.archived.architecture,) if restore and restore.archived.architecture else (),
        devices=app.rendering.devices,
    )


def list_warnings(
    order: ImportOrder, restore: RestorePlacement | None, *, item: str, bridge: str
) -> list[str]:
    """List what differs from the app that was exported, or is not imported; `bridge` is the one chosen here."""
    app, known = order.document.app, order.document.archive
    found = []
    if order.archive is None:
        found.append("No archive is named: the app is deployed anew with its values, and has no data")
    if item == "unknown" and not app.adopted:
        found.append(
            f"The catalog has no {app.catalog_id}: the app runs by the definition of the document, and gets no updates until "
            "a source has the item"
        )
    if restore and known and order.archive and not order.archive.volume_id.endswith(f"/{known.file_name}"):
        found.append(f"The document names another archive of this app: {known.file_name}")
    if restore:
        found += [
            f"Not in the archive, and empty afterwards or not there: {one}"
            for one in restore.archived.omitted
        ]
    network = app.rendering
    if network.network_cidr not in _SHARED and not order.network_cidr:
        found.append(f"The app had the address {network.network_cidr}; here it gets another one")
    if (network.bridge or bridge, network.vlan) != (bridge, order.config.vlan or 0):
        before = f"bridge {network.bridge or bridge}" + (f" with VLAN {network.vlan}" if network.vlan else "")
        found.append(f"The app was on {before}; here it is on bridge {bridge}")
    if network.devices:
        found.append(f"The container gets {', '.join(network.devices)} of its node")
    if order.document.policies:
        names = ", ".join(order.document.policies)
        found.append(f"Backup policies are not imported; it was backed up by {names}")
    return found
