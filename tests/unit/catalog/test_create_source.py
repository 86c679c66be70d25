"""CreateSource: a source is registered once, under a name and at a location that can be one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import InvalidSourceError, SourceDuplicateError
from tests.fakes.catalog_replica import CatalogReplica, make_call

ACME = pb.CreateSourceRequest(name="acme", location="https://acme.example/t.json", format="portainer")


async def test_a_source_is_registered_and_its_first_fetch_queued(replica: CatalogReplica) -> None:
    call = make_call()
    source = await replica.api.create_source(ACME, call)
    assert (source.name, source.status, source.refresh_hours, source.item_count) == ("acme", "new", 24, 0)
    assert datetime.now(UTC) >= source.created_at.ToDatetime(UTC)
    assert dict(call.headers)["location"] == "/api/catalog/sources"
    assert replica.woken == 1


async def test_an_interval_of_zero_hours_means_never(replica: CatalogReplica) -> None:
    request = pb.CreateSourceRequest(name="acme", location="/srv/acme", format="compose", refresh_hours=0)
    assert (await replica.api.create_source(request, make_call())).refresh_hours == 0


async def test_a_name_is_taken_once(replica: CatalogReplica) -> None:
    await replica.api.create_source(ACME, make_call())
    with pytest.raises(SourceDuplicateError, match="'acme'"):
        await replica.api.create_source(ACME, make_call())
    assert len(await replica.store.list_sources()) == 1


@pytest.mark.parametrize(
    ("name", "location", "field"),
    [("builtin", "https://a.example/x", "name"), ("A b", "https://a.example/x", "name"), ("a", "http://a.example/x", "location"),
     ("a", "https://u:p@a.example/x", "location"), ("a", "file:///etc", "location"), ("a", "/srv/../etc", "location"),
     ("a", "relative", "location"), ("a", "https://a.example/ x", "location"), ("a", "https://a.example/x.json#main", "location"),
     ("a", "https://a.example/x.git#main:../up", "location")],
)  # fmt: skip
async def test_a_source_that_cannot_be_is_refused(
    replica: CatalogReplica, name: str, location: str, field: str
) -> None:
    request = pb.CreateSourceRequest(name=name, location=location, format="native")
    with pytest.raises(InvalidSourceError) as caught:
        await replica.api.create_source(request, make_call())
    assert [violation.field for violation in caught.value.violations] == [field]
    assert await replica.store.list_sources() == []


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("https://github.com/caprover/one-click-apps.git", "CapRover"),
        ("git+https://github.com/someone/one-click-apps#main", "CapRover"),
        ("https://github.com/truenas/apps.git#master:trains", "TrueNAS"),
        ("https://github.com/truenas/charts", "TrueNAS"),
    ],
)
async def test_collections_for_other_software_are_refused_by_name(
    replica: CatalogReplica, location: str, name: str
) -> None:
    request = pb.CreateSourceRequest(name="a", location=location, format="compose")
    with pytest.raises(
        InvalidSourceError, match=f"location: is a .*{name}.*add a collection of compose files instead"
    ):
        await replica.api.create_source(request, make_call())
