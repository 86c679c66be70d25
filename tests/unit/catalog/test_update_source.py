"""UpdateSource: the interval of a source, and what its items may have of the host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import SourceNotFoundError, UnsafeDefinitionError
from tests.fakes.catalog_replica import CatalogReplica, make_call

TUNNEL = b"services: {app: {image: 'acme/tunnel:1', ports: ['80:80'], devices: ['/dev/net/tun'], cap_add: [NET_ADMIN]}}"


async def add_source(replica: CatalogReplica) -> int:
    request = pb.CreateSourceRequest(name="acme", location="https://acme.example/x", format="compose")
    return (await replica.api.create_source(request, make_call())).id


async def test_the_next_fetch_is_due_as_the_new_interval_says(replica: CatalogReplica) -> None:
    source_id = await add_source(replica)
    changed = await replica.api.update_source(pb.UpdateSourceRequest(source_id=source_id, refresh_hours=2))
    assert (changed.refresh_hours, changed.allow_host_needs) == (2, False)
    due = changed.next_fetch_at.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(hours=1.5) < due < timedelta(hours=2.5)
    never = await replica.api.update_source(pb.UpdateSourceRequest(source_id=source_id, refresh_hours=0))
    assert (never.refresh_hours, never.HasField("next_fetch_at")) == (0, False)


async def test_what_is_left_out_stays(replica: CatalogReplica) -> None:
    source_id = await add_source(replica)
    await replica.api.update_source(pb.UpdateSourceRequest(source_id=source_id, refresh_hours=7))
    changed = await replica.api.update_source(
        pb.UpdateSourceRequest(source_id=source_id, allow_host_needs=True)
    )
    assert (changed.name, changed.refresh_hours, changed.allow_host_needs) == ("acme", 7, True)
    same = await replica.api.update_source(pb.UpdateSourceRequest(source_id=source_id))
    assert same == changed


async def test_items_have_what_they_need_once_their_source_allows_it(replica: CatalogReplica) -> None:
    source_id = await add_source(replica)
    replica.fetcher.files = {"tunnel/compose.yaml": TUNNEL}
    await replica.fetch(source_id)
    request = pb.RenderItemRequest(app_id="acme.tunnel")
    with pytest.raises(
        UnsafeDefinitionError, match=r"CATALOG_HOST_NEEDS=acme.tunnel or.*allow_host_needs of the source acme"
    ):
        await replica.internal.render_item(request)
    await replica.api.update_source(pb.UpdateSourceRequest(source_id=source_id, allow_host_needs=True))
    assert list((await replica.internal.render_item(request)).devices) == ["/dev/net/tun"]
    await replica.api.update_source(pb.UpdateSourceRequest(source_id=source_id, allow_host_needs=False))
    with pytest.raises(UnsafeDefinitionError):
        await replica.internal.render_item(request)


async def test_a_source_that_is_not_registered_is_refused(replica: CatalogReplica) -> None:
    with pytest.raises(SourceNotFoundError):
        await replica.api.update_source(pb.UpdateSourceRequest(source_id=99, refresh_hours=1))
