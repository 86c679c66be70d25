"""ListRevisions: the newest revisions of the items that apps runs."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.search.catalog_index import CatalogIndex
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import ITEM

EMPTY = empty_pb2.Empty()


async def test_items_that_are_not_published_are_left_out(own: CatalogReplica) -> None:
    answer = await own.internal.list_revisions(pb.ListRevisionsRequest(app_ids=["nginx", "nothing", "redis"]))
    assert [entry.app_id for entry in answer.revisions] == ["nginx", "redis"]
    item = (await own.api.get_item(pb.GetItemRequest(app_id="nginx"), make_call())).message
    assert (answer.revisions[0].revision, answer.revisions[0].version) == (item.revision, item.version)


async def test_all_items_are_listed_when_none_is_named(own: CatalogReplica, own_index: CatalogIndex) -> None:
    answer = await own.internal.list_revisions(pb.ListRevisionsRequest())
    assert len(answer.revisions) == len(own_index.items)


async def test_a_publication_of_another_replica_is_seen_at_once(db: Database, folder: Path) -> None:
    replica, other = CatalogReplica(db, folder), CatalogReplica(db, folder)
    await replica.api.reload_catalog(EMPTY)
    await other.catalog.refresh()
    (folder / "sample.yaml").write_text(ITEM.replace('version: "1.0"', 'version: "2.0"'))
    await replica.api.reload_catalog(EMPTY)
    (entry,) = (await other.internal.list_revisions(pb.ListRevisionsRequest(app_ids=["sample"]))).revisions
    assert entry.version == "2.0"
