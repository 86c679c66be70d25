"""Exports and imports of apps on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from proximity.apps.v1 import export_pb2 as pb

from services.apps.domain.config import parse_config
from services.apps.domain.export_sealing import render_canonical
from services.apps.domain.exported_app import (
    ExportedApp,
    ExportedArchive,
    ExportedDocument,
    SealedValues,
    check_app,
    check_format,
    parse_resources,
)
from services.apps.domain.imports import ArchivePlace, ImportOrder, ImportPlan
from services.apps.domain.rendering import AppRendering
from services.apps.usecases.import_exported_app import Import
from services.clients.catalog.values import ItemCredentials, ItemProbe
from services.clients.inventory.restore_plans import ArchivedContainer
from services.common.core.errors import invalid_field
from services.common.identity.tokens import User
from services.common.rpc.interceptors.validation import check_message
from services.common.rpc.responses.rendered import render_time


def render_export(document: Mapping[str, Any]) -> pb.AppExport:
    """Render the document of an app."""
    return json_format.ParseDict(dict(document), pb.AppExport())


def parse_document(request: Struct) -> ExportedDocument:
    """Parse a document, of which nothing is believed.

    Raises:
        InvalidError: it is none, has a field that there is none of, or a value that no app can have.
        DocumentTooNewError: a later release wrote it.
    """
    raw: dict[str, Any] = json_format.MessageToDict(request)
    # First: of a later format the other fields may mean something else, and its refusal names the remedy.
    check_format(raw)
    try:
        message = json_format.ParseDict(raw, pb.AppExport())
    except json_format.ParseError as error:
        raise invalid_field("document", f"is not as an export writes it: {_shorten(str(error))}") from error
    app = _parse_app(message.app)
    check_app(app)
    archive, sealed = message.archive, message.sealed
    return ExportedDocument(
        product_version=message.product_version,
        app=app,
        authenticated=render_canonical(raw),
        archive=ExportedArchive(
            file_name=archive.file_name, size=int(archive.size), encrypted=archive.encrypted
        )
        if message.HasField("archive")
        else None,
        sealed=SealedValues(
            kdf=sealed.kdf,
            salt=sealed.salt,
            n=sealed.n,
            r=sealed.r,
            p=sealed.p,
            cipher=sealed.cipher,
            nonce=sealed.nonce,
            ciphertext=sealed.ciphertext,
            check=sealed.check,
        )
        if message.HasField("sealed")
        else None,
        policies=tuple(message.backup_policies),
    )


def _shorten(text: str) -> str:
    """Return the reason of a parser in one line, without what it repeats of the document."""
    return text.replace("\n", " ").replace("proximity.apps.v1.", "")[:200]


def _parse_app(app: pb.ExportedApp) -> ExportedApp:
    resources = app.resources
    return ExportedApp(
        id=app.id,
        name=app.name,
        hostname=app.hostname,
        catalog_id=app.catalog_id,
        revision=app.revision[:100],
        runtime=app.runtime,
        adopted=app.adopted,
        internal_port=app.internal_port if app.HasField("internal_port") else None,
        public_port=app.public_port if app.HasField("public_port") else None,
        published=app.published,
        config=parse_resources(
            {
                "memory": resources.memory,
                "cores": resources.cores,
                "disk_size": resources.disk_size,
                "swap": resources.swap,
                "image": app.definition.requested_image,
                "port": app.definition.requested_port,
            }
        ),
        rendering=_parse_rendering(app),
        environment=dict(app.environment),
        inputs=dict(app.inputs),
        secret_names=tuple(app.secret_names),
        hidden_environment=tuple(app.hidden_environment),
        hidden_inputs=tuple(app.hidden_inputs),
    )


def _parse_rendering(app: pb.ExportedApp) -> AppRendering:
    definition, network = app.definition, app.network
    probe, credentials = definition.probe, definition.credentials
    return AppRendering(
        compose=definition.compose,
        version=app.version[:100],
        images=tuple(definition.images),
        image=definition.image,
        entrypoint=definition.entrypoint,
        probe=ItemProbe(scheme=probe.scheme, port=probe.port, path=probe.path, grace_s=probe.grace_s)
        if definition.HasField("probe")
        else None,
        credentials=ItemCredentials(
            **{name: credentials[name] for name in ("username", "password", "change") if name in credentials}
        )
        if credentials
        else None,
        mounts=tuple((mount.path, mount.size_gb) for mount in definition.mounts),
        devices=tuple(definition.devices),
        network_cidr=network.address,
        bridge=network.bridge,
        vlan=network.vlan,
    )


def parse_import_order(request: pb.ImportExportedAppRequest, *, request_id: str, user: User) -> ImportOrder:
    """Parse what is to be imported, and where.

    Raises:
        InvalidError: as `parse_document`; or `config` is not valid, or no archive is named by `archive`.
    """
    document = parse_document(request.document)
    return ImportOrder(
        # From the id of the request: a repetition finds the app that the first request made.
        app_id=f"{document.app.catalog_id}-{request_id[:8]}",
        document=document,
        passphrase=request.passphrase,
        archive=_parse_place(request, document) if request.HasField("archive") else None,
        hostname=request.hostname or document.app.hostname,
        name=request.name or _choose_name(request, document.app),
        node=request.node,
        host_id=request.host_id if request.HasField("host_id") else None,
        owner_id=request.owner if request.HasField("owner") else user.id,
        config=parse_config(json_format.MessageToDict(request.config)),
        network_cidr=request.network_cidr,
        environment=dict(request.environment),
    )


def _choose_name(request: pb.ImportExportedAppRequest, app: ExportedApp) -> str:
    """Return the name of the document; an app that is named as its host follows a new hostname."""
    return request.hostname or app.name if app.name == app.hostname else app.name


def _parse_place(request: pb.ImportExportedAppRequest, document: ExportedDocument) -> ArchivePlace:
    place = request.archive
    check_message(place, prefix="archive.")
    if request.HasField("host_id") and request.host_id != place.host_id:
        raise invalid_field(
            "host_id", f"{request.host_id} is another host than that of the archive, {place.host_id}"
        )
    if place.volume_id:
        storage = place.volume_id.partition(":")[0]
        if place.storage and place.storage != storage:
            raise invalid_field(
                "archive.storage", f"{place.storage!r} is not the storage of {place.volume_id}"
            )
        return ArchivePlace(place.host_id, place.volume_id)
    if document.archive is None:
        raise invalid_field(
            "archive.storage", "the document names no archive; give the volume_id of the one to restore"
        )
    return ArchivePlace(place.host_id, f"{place.storage}:backup/{document.archive.file_name}")


def render_import(found: Import, *, operation_id: str) -> pb.ImportExportedAppResponse:
    """Render an import that was begun."""
    return pb.ImportExportedAppResponse(
        success=True,
        message=f"Importing {found.app.hostname}",
        app_id=found.app.id,
        operation_id=operation_id,
        warnings=found.warnings,
    )


def render_import_preview(plan: ImportPlan) -> pb.AppImportPreview:
    """Render what an import would do."""
    order, restore, place = plan.order, plan.restore, plan.placement
    archived = restore.archived if restore else ArchivedContainer()
    app = order.document.app
    return pb.AppImportPreview(
        possible=not plan.obstacles,
        obstacles=[error.message for error in plan.obstacles],
        warnings=plan.warnings,
        name=order.name,
        hostname=order.hostname,
        catalog_id=app.catalog_id,
        version=app.rendering.version,
        catalog_item=plan.catalog_item or None,
        runtime=plan.runtime,
        with_data=order.archive is not None,
        owner_id=order.owner_id,
        host_id=place.host_id if place else None,
        node=place.node if place else "",
        storage=restore.storage if restore else order.config.storage,
        bridge=plan.bridge,
        resources=pb.ExportedResources(**vars(plan.resources)),
        archive_size=archived.size,
        required=archived.required,
        archive_created_at=render_time(archived.created_at) if archived.created_at else None,
        omitted=archived.omitted,
        missing_values=plan.missing,
    )
