"""DeleteSource: a source goes with its items; revisions stay for the apps that use them."""

from __future__ import annotations

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import ItemNotFoundError, SourceNotFoundError
from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.domain.item_files.parser import parse_item
from services.catalog.domain.publication import publish_items
from services.catalog.domain.sources import NewSource, SourceFormat
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import ITEM, read


async def add_source(replica: CatalogReplica, name: str) -> tuple[int, str]:
    """Publish the sample item as an item of a new source; return the ids of the source and the revision."""
    source = await replica.store.add_source(NewSource(name, f"/srv/{name}", SourceFormat.NATIVE))
    document = read(ITEM.replace("name: Sample App", f"name: {name}"))
    item = parse_item(document, source=name)
    await publish_items(
        replica.store, name, items=[LoadedItem(item, document.value)], rejected=[], source_id=source.id
    )
    await replica.catalog.refresh()
    return source.id, item.revision


async def test_only_the_items_of_the_source_go_and_their_revisions_stay(replica: CatalogReplica) -> None:
    source_id, revision = await add_source(replica, "acme")
    await add_source(replica, "other")
    await replica.api.delete_source(pb.DeleteSourceRequest(source_id=source_id))
    assert replica.woken == 1
    with pytest.raises(ItemNotFoundError):
        await replica.api.get_item(pb.GetItemRequest(app_id="acme.sample"), make_call())
    assert (await replica.api.get_item(pb.GetItemRequest(app_id="other.sample"), make_call())).message.id
    assert [one.name for one in await replica.store.list_sources()] == ["other"]
    former = pb.RenderItemRequest(
        app_id="acme.sample", revision=revision, environment={"SITE": "https://example.com"}
    )
    assert (await replica.internal.render_item(former)).name == "acme"


async def test_an_unknown_source_is_refused(replica: CatalogReplica) -> None:
    await add_source(replica, "other")
    with pytest.raises(SourceNotFoundError, match="no source 99"):
        await replica.api.delete_source(pb.DeleteSourceRequest(source_id=99))
    assert len(await replica.store.list_sources()) == 1
