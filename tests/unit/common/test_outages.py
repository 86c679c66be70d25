"""What does not answer is said by name, and looks like something that may pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as stubs

from services.common.core.errors import UnavailableError
from services.common.db.database import Database, create_engine
from services.common.db.queries import Query
from services.common.identity.keys import ServiceSigner, make_service_keys, read_service_keys
from services.common.rpc.client import Clients
from tests.e2e.stack import find_port


async def test_a_database_that_refuses_connections_does_not_answer() -> None:
    url = f"postgresql://nobody@127.0.0.1:{find_port()}/nothing"
    db = Database(create_engine(url, service="apps"))
    try:
        for _ in range(2):
            with pytest.raises(UnavailableError, match="the database does not answer"):
                await db.fetch(Query(sa.select(sa.literal(1))), {})
    finally:
        await db.close()


async def test_a_service_that_is_down_is_named_without_its_address(tmp_path: Path) -> None:
    make_service_keys(tmp_path)
    private, _ = read_service_keys(tmp_path, "apps")
    clients = Clients(ServiceSigner("apps", private), lambda _: f"127.0.0.1:{find_port()}")
    try:
        with pytest.raises(UnavailableError) as refused:
            await clients.call(
                "catalog", stubs.CatalogServiceStub, method="GetItem", request=pb.GetItemRequest(app_id="x")
            )
    finally:
        await clients.close()
    assert refused.value.message == "catalog does not answer"
