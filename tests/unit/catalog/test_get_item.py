"""GetItem: everything that the page of an app shows, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import ItemNotFoundError
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, make_call

FIELDS = (
    "id name version description icon category docker_compose ports volumes environment min_memory min_cpu tags author"
    " website inputs images runtimes revision source"
)


async def test_an_item_has_all_fields_of_the_contract_and_no_secret(own: CatalogReplica) -> None:
    item = (await own.api.get_item(pb.GetItemRequest(app_id="postgres"), make_call())).message
    assert set(FIELDS.split()) <= MessageToDict(item, preserving_proto_field_name=True).keys()
    assert item.environment["POSTGRES_PASSWORD"] == ""
    assert item.environment["POSTGRES_USER"] == "postgres"
    assert item.icon == "/api/catalog/postgres/icon"


async def test_an_unknown_item_is_refused_by_its_id(own: CatalogReplica) -> None:
    with pytest.raises(ItemNotFoundError, match="'nothing'"):
        await own.api.get_item(pb.GetItemRequest(app_id="nothing"), make_call())


async def test_an_item_that_another_replica_published_is_found_at_once(db: Database, folder: Path) -> None:
    replica, other = CatalogReplica(db, folder), CatalogReplica(db, folder)
    await other.catalog.refresh()
    await replica.api.reload_catalog(empty_pb2.Empty())
    found = await other.api.get_item(pb.GetItemRequest(app_id="sample"), make_call())
    assert found.message.id == "sample"
