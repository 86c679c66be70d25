"""CatalogInternalService: what the catalog offers the service of apps."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.convert.deployments import parse_render, render_rendering
from services.catalog.convert.revisions import render_changes, render_revisions
from services.catalog.domain.host_permissions import HostPermissions
from services.catalog.domain.interfaces import CatalogStore, OwnItemFiles, PictureStore, PublishedCatalog
from services.catalog.usecases.render_item import render_item
from services.catalog.usecases.revisions import compare_revisions, list_revisions


class CatalogInternalHandlers:
    """CatalogInternalService.

    Args:
        files: the item files of this installation.
        pictures: of imported items.
        permissions: of items to use the host.
    """

    def __init__(
        self,
        catalog: PublishedCatalog,
        store: CatalogStore,
        *,
        files: OwnItemFiles,
        pictures: PictureStore,
        permissions: HostPermissions,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._files = files
        self._pictures = pictures
        self._permissions = permissions

    async def render_item(self, request: pb.RenderItemRequest) -> pb.Rendering:
        rendered = await render_item(
            self._catalog,
            self._store,
            item_id=request.app_id,
            revision=request.revision,
            request=parse_render(request),
            from_revision=request.from_revision,
            permissions=self._permissions,
        )
        return render_rendering(rendered)

    async def compare_revisions(self, request: pb.CompareRevisionsRequest) -> pb.RevisionChanges:
        changes = await compare_revisions(
            self._catalog,
            self._store,
            item_id=request.app_id,
            from_revision=request.from_revision,
            revision=request.revision,
        )
        return render_changes(changes)

    async def list_revisions(self, request: pb.ListRevisionsRequest) -> pb.ListRevisionsResponse:
        listed = await list_revisions(
            self._catalog, request.app_ids, files=self._files, pictures=self._pictures
        )
        return render_revisions(listed)
