"""RefreshSource: another fetch is queued, unless one is under way."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import SourceBusyError, SourceNotFoundError
from services.catalog.domain.sources import NewSource, SourceFormat, SourceStatus
from services.catalog.usecases.sources import FETCH_LIMIT, refresh_source
from services.common.core.clock import now
from tests.fakes.catalog_replica import CatalogReplica, make_call

ACME = NewSource("acme", "https://acme.example/t.json", SourceFormat.PORTAINER)


async def test_a_source_that_was_fetched_is_fetched_again(replica: CatalogReplica) -> None:
    source = await replica.store.add_source(ACME)
    await replica.store.finish_fetch(source.id, error="", item_count=1, rejected_count=0)
    call = make_call()
    again = await replica.api.refresh_source(pb.RefreshSourceRequest(source_id=source.id), call)
    assert (again.status, again.item_count) == ("fetching", 1)
    assert dict(call.headers)["location"] == "/api/catalog/sources"
    assert replica.woken == 1


@pytest.mark.parametrize(
    ("later", "is_busy"), [(timedelta(), True), (FETCH_LIMIT - timedelta(minutes=1), True), (FETCH_LIMIT, False)]
)  # fmt: skip
async def test_a_fetch_under_way_is_refused_until_its_worker_must_have_died(
    replica: CatalogReplica, later: timedelta, is_busy: bool
) -> None:
    source = await replica.store.add_source(ACME)
    moment: datetime = now() + later
    if is_busy:
        with pytest.raises(SourceBusyError, match="'acme' is being fetched"):
            await refresh_source(replica.store, source.id, now=moment)
    else:
        assert (await refresh_source(replica.store, source.id, now=moment)).status is SourceStatus.FETCHING


async def test_an_unknown_source_is_refused(replica: CatalogReplica) -> None:
    with pytest.raises(SourceNotFoundError, match="no source 7"):
        await replica.api.refresh_source(pb.RefreshSourceRequest(source_id=7), make_call())
    assert replica.woken == 0
