"""RenderItem: the definition that the service of apps deploys."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from services.catalog.domain.errors import RevisionNotFoundError
from services.catalog.domain.host_permissions import HostPermissions
from services.catalog.domain.interfaces import CatalogStore, PublishedCatalog
from services.catalog.domain.renderer import rendered_definition
from services.catalog.domain.renderer.host_needs import check_host_needs, is_permitted
from services.catalog.domain.renderer.rendered_definition import RenderedDefinition
from services.catalog.domain.renderer.values import RenderRequest, drop_past_inputs
from services.catalog.usecases.revisions import get_revision


async def render_item(
    catalog: PublishedCatalog,
    store: CatalogStore,
    *,
    item_id: str,
    revision: str,
    request: RenderRequest,
    from_revision: str = "",
    permissions: HostPermissions,
) -> RenderedDefinition:
    """Render the newest or the named revision of an item.

    Args:
        catalog: published items.
        store: every revision that was ever published.
        item_id: id of the item.
        revision: empty for the newest.
        request: runtime, values and changes of the definition.
        from_revision: the revision that the values are of; values of inputs that are gone since are left out.
        permissions: of items to use the host.

    Raises:
        ItemNotFoundError, RevisionNotFoundError: there is none.
        InvalidError: the inputs do not fit.
        UnsafeDefinitionError: it needs the host, and no administrator allowed it that.
    """
    index = await catalog.find_index(item_id)
    item = await get_revision(index, store, item_id=item_id, revision=revision)
    if from_revision not in {"", item.revision}:
        with contextlib.suppress(
            RevisionNotFoundError
        ):  # without it, no value is known to be of a former input
            earlier = await get_revision(index, store, item_id=item_id, revision=from_revision)
            request = drop_past_inputs(request, earlier, item=item)
    permitted = await permissions.list_permitted(item)
    check_host_needs(item, permitted)
    request = replace(request, optional_devices=is_permitted(item, permitted))
    return rendered_definition.render_item(item, request)
