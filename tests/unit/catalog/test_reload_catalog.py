"""ReloadCatalog: our own item files are published, bad ones reported, former revisions stay."""

from __future__ import annotations

import gc
from pathlib import Path

from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.sources.own_files import OwnFiles
from services.catalog.store import SqlCatalogStore
from services.catalog.store.catalog_cache import CatalogCache
from services.catalog.usecases.reload_catalog import reload_catalog
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import ITEM

EMPTY = empty_pb2.Empty()


async def read_version(replica: CatalogReplica) -> str:
    item = (await replica.api.get_item(pb.GetItemRequest(app_id="sample"), make_call())).message
    return item.version


async def test_a_reload_reports_bad_files_and_publishes_the_others(
    replica: CatalogReplica, folder: Path
) -> None:
    (folder / "broken.yaml").write_text("id: broken\n  name: [")
    result = await replica.api.reload_catalog(EMPTY)
    assert (result.success, result.total, [r.file for r in result.rejected]) == (True, 1, ["broken.yaml"])
    assert "line 2" in result.rejected[0].error
    assert result.message == "Catalog reloaded: 1 apps, 1 files rejected"
    assert (await read_version(replica), replica.woken) == ("1.0", 1)


async def test_a_reload_reaches_other_replicas_with_their_next_refresh_and_leaves_old_revisions(
    db: Database, folder: Path
) -> None:
    replica, other = CatalogReplica(db, folder), CatalogReplica(db, folder)
    await replica.api.reload_catalog(EMPTY)
    old = (await other.api.get_item(pb.GetItemRequest(app_id="sample"), make_call())).message
    (folder / "sample.yaml").write_text(ITEM.replace('version: "1.0"', 'version: "2.0"'))
    await replica.api.reload_catalog(EMPTY)
    assert await read_version(other) == "1.0"
    assert await other.catalog.refresh()
    assert not await other.catalog.refresh()
    assert await read_version(other) == "2.0"
    former = pb.RenderItemRequest(
        app_id="sample", revision=old.revision, environment={"SITE": "https://example.com"}
    )
    assert (await other.internal.render_item(former)).version == "1.0"


async def test_a_file_that_is_gone_takes_its_item_along(replica: CatalogReplica, folder: Path) -> None:
    await replica.api.reload_catalog(EMPTY)
    (folder / "sample.yaml").unlink()
    assert (await replica.api.reload_catalog(EMPTY)).total == 0
    assert (await replica.api.list_items(pb.ListItemsRequest(), make_call())).message.total == 0


async def test_parsed_files_are_freed_before_the_catalog_is_read_again(db: Database, folder: Path) -> None:
    """Both copies beside each other would be the peak of the process, which it would not return."""

    def count_parsed_files() -> int:
        return sum(isinstance(one, LoadedItem) for one in gc.get_objects())

    before, during = count_parsed_files(), list[int]()
    store = SqlCatalogStore(db)
    catalog = CatalogCache(store)
    catalog.on_refresh(lambda _: during.append(count_parsed_files()))
    await reload_catalog(catalog, store, files=OwnFiles(folder))
    assert during == [before]
