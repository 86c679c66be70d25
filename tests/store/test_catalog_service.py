"""The catalog's RPCs over its real store, from a source's registration to a rendered app."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import (
    IconNotFoundError,
    ItemNotFoundError,
    SourceBusyError,
    SourceDuplicateError,
    SourceNotFoundError,
)
from services.common.db.database import Database
from services.common.rpc.responses.rendered import Rendered
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.store.catalog_db import db
from tests.unit.catalog.samples import ITEM

__all__ = ["db"]

EMPTY = empty_pb2.Empty()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample.yaml").write_text(ITEM)
    return tmp_path / "data"


def size_of(answer: Any) -> int:
    return len(answer.data) if isinstance(answer, Rendered) else answer.ByteSize()


async def test_a_client_with_the_same_state_gets_no_body(db: Database, folder: Path) -> None:
    service = CatalogReplica(db, folder)
    await service.api.reload_catalog(EMPTY)
    calls: list[tuple[Callable[..., Any], Any]] = [
        (service.api.list_items, pb.ListItemsRequest()), (service.api.get_item, pb.GetItemRequest(app_id="sample")),
        (service.api.search_items, pb.SearchItemsRequest(q="sample")), (service.api.list_categories, EMPTY),
        (service.api.list_category_items, pb.ListCategoryItemsRequest(category="tools")),
        (service.api.get_catalog_stats, EMPTY), (service.api.get_item_schema, EMPTY),
    ]  # fmt: skip
    tags = {}
    for method, request in calls:
        first = make_call()
        assert size_of(await method(request, first)) > 0
        tags[method] = dict(first.headers)["etag"]
        for known in (tags[method], f'"other", W/{tags[method]}', "*"):
            again = make_call(if_none_match=known)
            assert size_of(await method(request, again)) == 0
            assert again.http_status == 304
        other = make_call(if_none_match='"other"')
        assert size_of(await method(request, other)) > 0
        assert other.http_status is None
    (folder / "sample.yaml").write_text(ITEM.replace('version: "1.0"', 'version: "2.0"'))
    await service.api.reload_catalog(EMPTY)
    for method, request in calls[:-1]:
        changed = make_call(if_none_match=tags[method])
        assert size_of(await method(request, changed)) > 0


async def test_a_source_is_published_whole_or_not_at_all(db: Database, folder: Path) -> None:
    ours = CatalogReplica(db, folder)
    request = pb.CreateSourceRequest(name="acme", location="https://acme.example/t.json", format="portainer")
    source = await ours.api.create_source(request, make_call())
    assert (source.status, ours.woken) == ("new", 1)
    with pytest.raises(SourceDuplicateError):
        await ours.api.create_source(request, make_call())
    with pytest.raises(SourceBusyError):
        await ours.api.refresh_source(pb.RefreshSourceRequest(source_id=source.id), make_call())
    web = {"type": 1, "title": "Web", "image": "acme/web:1", "ports": ["80:80"]}
    ours.fetcher.files = {"t.json": json.dumps([web, {"type": 2, "title": "Swarm"}]).encode()}
    await ours.fetch(source.id)
    (listed,) = (await ours.api.list_sources(EMPTY)).sources
    assert (listed.status, listed.item_count, listed.rejected_count) == ("published", 1, 1)
    left = await ours.api.list_rejections(pb.ListRejectionsRequest(source_id=source.id))
    assert [(r.file, r.error) for r in left.rejections] == [
        ("t.json#swarm", "is a swarm stack, not meant for a single host")
    ]
    item = (await ours.api.get_item(pb.GetItemRequest(app_id="acme.web"), make_call())).message
    assert item.source == "acme"
    with pytest.raises(IconNotFoundError):
        await ours.api.get_item_icon(pb.GetItemIconRequest(app_id="acme.web"), make_call())

    ours.fetcher.files = {"t.json": b"not json"}
    await ours.api.refresh_source(pb.RefreshSourceRequest(source_id=source.id), make_call())
    await ours.fetch(source.id)
    (listed,) = (await ours.api.list_sources(EMPTY)).sources
    assert (listed.status, listed.item_count, listed.refresh_hours) == ("failed", 1, 24)
    assert "is not JSON" in listed.error
    assert (
        await ours.api.get_item(pb.GetItemRequest(app_id="acme.web"), make_call())
    ).message.revision == item.revision

    ours.fetcher.error = "does not answer"
    await ours.api.refresh_source(pb.RefreshSourceRequest(source_id=source.id), make_call())
    await ours.fetch(source.id)
    assert "does not answer" in (await ours.api.list_sources(EMPTY)).sources[0].error

    await ours.api.delete_source(pb.DeleteSourceRequest(source_id=source.id))
    with pytest.raises(ItemNotFoundError):
        await ours.api.get_item(pb.GetItemRequest(app_id="acme.web"), make_call())
    assert (
        await ours.internal.render_item(pb.RenderItemRequest(app_id="acme.web", revision=item.revision))
    ).name == "Web"
    with pytest.raises(SourceNotFoundError):
        await ours.api.delete_source(pb.DeleteSourceRequest(source_id=source.id))
