"""The catalog over gRPC: `Catalog` of `interface`."""

from __future__ import annotations

from collections.abc import Mapping

from proximity.catalog.v1 import catalog_service_pb2 as catalog_pb
from proximity.catalog.v1 import item_pb2
from proximity.catalog.v1.catalog_service_pb2_grpc import CatalogInternalServiceStub

from services.clients.catalog.values import (
    ItemCredentials,
    ItemInput,
    ItemProbe,
    ItemRevision,
    Rendering,
    RevisionChanges,
)
from services.common.rpc.client import Clients

_RENDER_S = 10.0  # a large item with its templates takes below a second; the rest is for a busy machine


class GrpcCatalog:
    """The catalog on the wire."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def render_item(
        self,
        catalog_id: str,
        environment: Mapping[str, str],
        *,
        public_port: int,
        runtime: str,
        image: str = "",
        port: int = 0,
        hostname: str = "",
        project: str = "",
        revision: str = "",
        generated: Mapping[str, str] | None = None,
        from_revision: str = "",
        secret: Mapping[str, bool] | None = None,
    ) -> Rendering:
        """See `Catalog.render_item`."""
        request = catalog_pb.RenderItemRequest(
            app_id=catalog_id,
            revision=revision,
            environment=environment,
            generated=generated or {},
            public_port=public_port,
            runtime=runtime,
            image=image,
            port=port,
            hostname=hostname,
            project=project,
            from_revision=from_revision,
            secret=secret or {},
            # The address is known after the rendering, when the container runs; `.env` gets it then.
            refer_to_host=True,
        )
        answer = await self._clients.call(
            "catalog", CatalogInternalServiceStub, method="RenderItem", request=request, timeout=_RENDER_S
        )
        return _parse_rendering(answer)

    async def compare_revisions(
        self, catalog_id: str, *, from_revision: str, revision: str
    ) -> RevisionChanges:
        """See `Catalog.compare_revisions`."""
        request = catalog_pb.CompareRevisionsRequest(
            app_id=catalog_id, from_revision=from_revision, revision=revision
        )
        answer = await self._clients.call(
            "catalog",
            CatalogInternalServiceStub,
            method="CompareRevisions",
            request=request,
            timeout=_RENDER_S,
        )
        return _parse_changes(answer)

    async def list_revisions(self) -> Mapping[str, ItemRevision]:
        """See `Catalog.list_revisions`."""
        request = catalog_pb.ListRevisionsRequest()
        answer = await self._clients.call(
            "catalog", CatalogInternalServiceStub, method="ListRevisions", request=request, timeout=_RENDER_S
        )
        return {
            item.app_id: ItemRevision(item.revision, item.version, item.icon) for item in answer.revisions
        }


def _parse_rendering(answer: catalog_pb.Rendering) -> Rendering:
    probe = answer.probe
    return Rendering(
        catalog_id=answer.catalog_id,
        revision=answer.revision,
        version=answer.version,
        name=answer.name,
        runtimes=tuple(answer.runtimes),
        docker_compose=answer.docker_compose,
        environment=dict(answer.environment),
        # What the platform generated is secret even if the item declares it otherwise.
        secret_names=tuple(sorted({*answer.secret_names, *answer.generated})),
        images=tuple(answer.images),
        min_memory=answer.min_memory,
        min_disk=answer.min_disk,
        internal_port=answer.internal_port,
        port_published=answer.port_published,
        probe=ItemProbe(scheme=probe.scheme, port=probe.port, path=probe.path, grace_s=probe.grace_s)
        if answer.HasField("probe")
        else None,
        # 0: nobody chose a size yet. Images declare paths alone.
        mounts=tuple((volume.path, 0) for volume in answer.volumes),
        image=answer.image,
        entrypoint=answer.entrypoint,
        command=answer.command,
        inputs=dict(answer.inputs),
        credentials=_parse_credentials(answer),
        architectures=tuple(answer.architectures),
        devices=tuple(answer.devices),
    )


def _parse_credentials(answer: catalog_pb.Rendering) -> ItemCredentials | None:
    if not answer.HasField("credentials"):
        return None
    known = answer.credentials
    return ItemCredentials(username=known.username, password=known.password, change=known.change)


def _parse_changes(answer: catalog_pb.RevisionChanges) -> RevisionChanges:
    added = set(answer.added_inputs)
    return RevisionChanges(
        revision=answer.revision,
        version=answer.version,
        from_version=answer.from_version,
        images=tuple((one.service, one.before, one.after) for one in answer.images),
        added_inputs=tuple(_parse_input(one) for one in answer.inputs if one.name in added),
        removed_inputs=tuple(answer.removed_inputs),
        notes=tuple(answer.notes),
        release_notes_url=answer.release_notes_url,
        release_notes=answer.release_notes,
    )


def _parse_input(one: item_pb2.ItemInput) -> ItemInput:
    return ItemInput(
        name=one.name,
        label=one.label,
        type=one.type,
        required=one.required,
        # An empty default is a value; without one, a required input has to be given.
        default=one.default if one.HasField("default") else None,
        pattern=one.pattern,
        help=one.help,
        options=tuple((choice.value, choice.label) for choice in one.options),
        secret=one.secret,
        generated=one.generated,
        minimum=one.minimum if one.HasField("minimum") else None,
        maximum=one.maximum if one.HasField("maximum") else None,
        unit=one.unit if one.HasField("unit") else None,
    )
