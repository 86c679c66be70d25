"""ListSources: registered sources and the outcome of their last fetch."""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.search.catalog_index import ItemFilter
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, make_call

EMPTY = empty_pb2.Empty()
WEB = {"type": 1, "title": "Acme Web", "image": "acme/web:1", "ports": ["80:80"]}


async def create(replica: CatalogReplica, name: str) -> int:
    request = pb.CreateSourceRequest(name=name, location=f"https://{name}.example/t.json", format="portainer")
    return (await replica.api.create_source(request, make_call())).id


async def test_sources_are_listed_by_name_with_their_outcome(replica: CatalogReplica) -> None:
    assert (await replica.api.list_sources(EMPTY)).total == 0
    failed, published = await create(replica, "zeta"), await create(replica, "acme")
    replica.fetcher.files = {"t.json": json.dumps([WEB]).encode()}
    await replica.fetch(published)
    replica.fetcher.error = "does not answer"
    await replica.fetch(failed)
    answer = await replica.api.list_sources(EMPTY)
    assert [(one.name, one.status, one.item_count) for one in answer.sources] == [
        ("acme", "published", 1),
        ("zeta", "failed", 0),
    ]
    assert "does not answer" in answer.sources[1].error
    assert answer.total == 2


async def test_a_source_is_published_only_where_its_items_can_be_read(db: Database, folder: Path) -> None:
    replica, other = CatalogReplica(db, folder), CatalogReplica(db, folder)
    await other.catalog.refresh()
    source_id = await create(replica, "acme")
    replica.fetcher.files = {"t.json": json.dumps([WEB]).encode()}
    await replica.fetch(source_id)
    assert [one.status for one in (await other.api.list_sources(EMPTY)).sources] == ["published"]
    found = other.catalog.index.search_items("acme web", ItemFilter())
    assert [item.id for item in found] == ["acme.acme-web"]
