"""The document that an export of an app writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from services.apps.domain.entities import App
from services.apps.domain.exported_app import FORMAT, FORMAT_VERSION
from services.clients.backups.values import AppBackups, ExportableArchive

_RESOURCES = ("memory", "cores", "disk_size", "swap")


@dataclass(frozen=True)
class SplitValues:
    """Values of an app that may be shown, and those that may not."""

    shown: Mapping[str, str]
    hidden: Mapping[str, str] = field(repr=False)


def split_values(app: App, values: Mapping[str, str]) -> SplitValues:
    """Split values as the API masks them: secret ones are hidden, and those with credentials inside."""
    secret = frozenset(app.secret_names)
    hidden = {
        name: value for name, value in values.items() if name in secret or app.hide_secrets(value) != value
    }
    return SplitValues({name: value for name, value in values.items() if name not in hidden}, hidden)


def describe_document(
    app: App, backups: AppBackups, *, compose: str, product_version: str, exported_at: datetime
) -> dict[str, Any]:
    """Return the document of an app as JSON values, without its hidden values; see `AppExport` in the protos.

    Args:
        app: as it is in the archive.
        backups: the archive, and the policies.
        compose: its definition, with references in place of values.
        product_version: of this release.
        exported_at: now.
    """
    archive = backups.archive
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "product_version": product_version,
        "exported_at": _render_time(exported_at),
        "app": _describe_app(app, compose),
        **({"archive": _describe_archive(archive)} if archive else {}),
        "backup_policies": list(backups.policies),
        "notes": _list_notes(app, archive),
    }


def _describe_app(app: App, compose: str) -> dict[str, Any]:
    config, rendering = app.config, app.rendering
    environment, inputs = split_values(app, app.environment), split_values(app, app.inputs)
    ports = {"internal_port": app.internal_port, "public_port": app.public_port}
    return {
        "id": app.id,
        "name": app.name,
        "hostname": app.hostname,
        "catalog_id": app.catalog_id,
        "revision": app.revision,
        "version": rendering.version,
        "runtime": app.runtime,
        "adopted": app.adopted,
        # A field with 0 would be read as a chosen port by other programs.
        **{name: port for name, port in ports.items() if port},
        "published": app.published,
        "resources": {name: getattr(config, name) or 0 for name in _RESOURCES},
        "network": {
            "address": rendering.network_cidr or "dhcp",
            "bridge": rendering.bridge,
            "vlan": rendering.vlan,
        },
        "definition": _describe_definition(app, compose),
        "environment": dict(environment.shown),
        "inputs": dict(inputs.shown),
        "secret_names": sorted(app.secret_names),
        "hidden_environment": sorted(environment.hidden),
        "hidden_inputs": sorted(inputs.hidden),
    }


def _describe_definition(app: App, compose: str) -> dict[str, Any]:
    rendering = app.rendering
    return {
        "compose": compose,
        "images": list(rendering.images),
        "image": rendering.image,
        "entrypoint": rendering.entrypoint,
        "mounts": [{"path": path, "size_gb": size} for path, size in rendering.mounts],
        "devices": list(rendering.devices),
        **({"probe": asdict(rendering.probe)} if rendering.probe else {}),
        "credentials": asdict(rendering.credentials) if rendering.credentials else {},
        "requested_image": app.config.image,
        "requested_port": app.config.port or 0,
    }


def _describe_archive(archive: ExportableArchive) -> dict[str, Any]:
    return {
        "backup_id": archive.id,
        "host_id": archive.host_id,
        "storage": archive.storage,
        "volume_id": archive.volume_id,
        "file_name": archive.file_name,
        "size": archive.size,
        "completed_at": _render_time(archive.completed_at),
        "protected": archive.protected,
        "encrypted": archive.encrypted,
        "vmid": archive.vmid,
        "restore_test": archive.restore_test,
        "verification": archive.verification,
        "left_out": list(archive.left_out),
        "images": dict(archive.images),
        "seen": archive.seen,
    }


def _list_notes(app: App, archive: ExportableArchive | None) -> list[str]:
    if archive is None:
        remedy = f"make one with POST /api/apps/{app.id}/backups, and export again"
        return [f"{app.id} has no backup that can be restored, so an import has no data: {remedy}"]
    notes = [f"What was written after {_render_time(archive.completed_at)} is not in the archive"]
    notes += [f"{volume} is not in the archive" for volume in archive.left_out]
    if not archive.seen:
        notes.append(
            f"Storage {archive.storage} did not answer: whether the archive is there was not checked"
        )
    # Exported all the same: it may be all that is left, and the import restores it beside.
    if archive.restore_test == "failed" or archive.verification == "failed":
        notes.append("The archive failed its test: export another backup with backup_id")
    if archive.encrypted:
        notes.append(
            f"The archive is encrypted: storage {archive.storage} needs the same key on the other Proxmox host"
        )
    return notes


def _render_time(moment: datetime) -> str:
    """Render a time to the second: fractions differ between writers of JSON."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
