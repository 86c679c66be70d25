"""ListRevisions: the newest revisions of the items that apps runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.pictures import Picture
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.store import SqlPictureStore
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, FixedCatalog, make_call
from tests.unit.catalog.samples import ITEM, build

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


async def test_the_icons_that_answer_are_named(own: CatalogReplica) -> None:
    for entry in (await own.internal.list_revisions(pb.ListRevisionsRequest())).revisions:
        assert entry.icon == f"/api/catalog/{entry.app_id}/icon"
        assert (await own.api.get_item_icon(pb.GetItemIconRequest(app_id=entry.app_id), make_call())).data


async def test_items_without_an_icon_name_none(db: Database, folder: Path) -> None:
    replica = CatalogReplica(db, folder)
    (folder / "sample.yaml").write_text(ITEM)
    await replica.api.reload_catalog(EMPTY)
    request = pb.ListRevisionsRequest(app_ids=["sample"])
    (entry,) = (await replica.internal.list_revisions(request)).revisions
    assert entry.icon == ""


async def test_an_imported_icon_is_named_once_it_was_fetched(db: Database, folder: Path) -> None:
    address = "https://cdn.example/icon.png"
    item = replace(build(), id="acme.web", source="acme", icon=address)
    replica = CatalogReplica(db, folder, catalog=FixedCatalog(CatalogIndex([item])))
    request, pictures = pb.ListRevisionsRequest(), SqlPictureStore(db)
    for picture, error, expected in (
        (None, "answered 404", ""),
        (Picture("image/png", b"png"), "", "/api/catalog/acme.web/icon"),
    ):
        await pictures.set_picture("acme", address, picture=picture, error=error)
        (entry,) = (await replica.internal.list_revisions(request)).revisions
        assert entry.icon == expected
