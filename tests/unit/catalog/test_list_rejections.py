"""ListRejections: the entries that the last fetch of one source left out, with the reasons."""

from __future__ import annotations

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import SourceNotFoundError
from services.catalog.domain.faults import Rejection
from services.catalog.domain.sources import NewSource, SourceFormat
from tests.fakes.catalog_replica import CatalogReplica


async def add_source(replica: CatalogReplica, name: str, *rejected: Rejection) -> int:
    source = await replica.store.add_source(
        NewSource(name, f"https://{name}.example/t.json", SourceFormat.PORTAINER)
    )
    await replica.store.publish(name, [], rejections=rejected, source_id=source.id)
    return source.id


async def test_the_rejections_of_a_source_are_its_own(replica: CatalogReplica) -> None:
    source_id = await add_source(
        replica, "acme", Rejection("t.json#b", "is a swarm stack"), Rejection("t.json#a", "has no image")
    )
    await add_source(replica, "other", Rejection("x.yaml", "is not YAML"))
    answer = await replica.api.list_rejections(pb.ListRejectionsRequest(source_id=source_id))
    assert [(one.file, one.error) for one in answer.rejections] == [
        ("t.json#b", "is a swarm stack"),
        ("t.json#a", "has no image"),
    ]
    assert answer.total == 2


async def test_a_source_without_rejections_has_an_empty_list(replica: CatalogReplica) -> None:
    await add_source(replica, "other", Rejection("x.yaml", "is not YAML"))
    source_id = await add_source(replica, "acme")
    answer = await replica.api.list_rejections(pb.ListRejectionsRequest(source_id=source_id))
    assert (list(answer.rejections), answer.total) == ([], 0)


async def test_an_unknown_source_is_refused(replica: CatalogReplica) -> None:
    with pytest.raises(SourceNotFoundError, match="no source 7"):
        await replica.api.list_rejections(pb.ListRejectionsRequest(source_id=7))
