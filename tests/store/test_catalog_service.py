"""The catalog's RPCs over its real store, from a source's registration to a rendered app."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.config import DATA
from services.catalog.domain.errors import (
    CategoryNotFoundError,
    IconNotFoundError,
    InvalidInputsError,
    InvalidSourceError,
    ItemNotFoundError,
    RevisionNotFoundError,
    SourceBusyError,
    SourceDuplicateError,
    SourceNotFoundError,
)
from services.catalog.domain.search.catalog_index import ItemFilter
from services.common.db.database import Database
from services.common.rpc.responses.rendered import Rendered
from tests.store.catalog_db import db
from tests.store.catalog_replica import Service, ask
from tests.unit.catalog.samples import ITEM

__all__ = ["db"]

EMPTY = empty_pb2.Empty()


@pytest.fixture
async def ours(db: Database) -> Service:
    service = Service(db, DATA)
    await service.api.reload_catalog(EMPTY)
    return service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample.yaml").write_text(ITEM)
    return tmp_path / "data"


async def test_the_whole_catalog_is_listed_found_and_counted(ours: Service) -> None:
    everything = (await ours.api.list_items(pb.ListItemsRequest(), ask())).message
    assert everything.total == len(everything.applications) >= 60
    names = [item.name.casefold() for item in everything.applications]
    assert names == sorted(names)
    second = (await ours.api.list_items(pb.ListItemsRequest(page=2, per_page=10), ask())).message
    assert [i.id for i in second.applications] == [i.id for i in everything.applications[10:20]]
    assert second.total == everything.total
    small = (await ours.api.list_items(pb.ListItemsRequest(memory=64), ask())).message
    assert 0 < small.total < everything.total
    found = (await ours.api.search_items(pb.SearchItemsRequest(q="nextclod"), ask())).message
    assert found.applications[0].id == "nextcloud"
    category = (
        await ours.api.list_category_items(pb.ListCategoryItemsRequest(category="databases"), ask())
    ).message
    assert "postgres" in {item.id for item in category.applications}
    stats = await ours.api.get_catalog_stats(EMPTY, ask())
    assert stats.total_apps == everything.total
    assert list((await ours.api.list_categories(EMPTY, ask())).categories) == sorted(
        stats.categories, key=str.casefold
    )
    assert sum(stats.categories.values()) == everything.total
    assert list(stats.sources) == ["builtin"]


async def test_an_item_says_all_that_the_contract_names_and_no_secret(ours: Service) -> None:
    item = (await ours.api.get_item(pb.GetItemRequest(app_id="postgres"), ask())).message
    named = "id name version description icon category docker_compose ports volumes environment min_memory min_cpu tags author website inputs images runtimes revision source"
    assert set(named.split()) <= MessageToDict(item, preserving_proto_field_name=True).keys()
    assert item.environment["POSTGRES_PASSWORD"] == ""
    assert item.environment["POSTGRES_USER"] == "postgres"
    assert item.icon == "/api/catalog/postgres/icon"
    icon = await ours.api.get_item_icon(pb.GetItemIconRequest(app_id="postgres"), ask())
    assert (icon.content_type, icon.data[:4]) == ("image/svg+xml", b"<svg")


async def test_what_is_not_there_is_refused_by_name(ours: Service) -> None:
    with pytest.raises(ItemNotFoundError, match="nothing"):
        await ours.api.get_item(pb.GetItemRequest(app_id="nothing"), ask())
    with pytest.raises(CategoryNotFoundError, match="Nothing"):
        await ours.api.list_category_items(pb.ListCategoryItemsRequest(category="Nothing"), ask())
    with pytest.raises(ItemNotFoundError):
        await ours.internal.render_item(pb.RenderItemRequest(app_id="nothing"))
    with pytest.raises(RevisionNotFoundError):
        await ours.internal.render_item(pb.RenderItemRequest(app_id="nginx", revision="x"))


async def test_a_rendering_has_what_apps_needs_to_run_it(ours: Service) -> None:
    first = await ours.internal.render_item(
        pb.RenderItemRequest(app_id="wordpress", public_port=30_007, hostname="w")
    )
    assert first.runtimes == ["compose"]
    assert (first.internal_port, first.port_published, first.probe.scheme) == (80, True, "http")
    assert first.generated.keys() == {"DB_PASSWORD", "DB_ROOT_PASSWORD"} == set(first.secret_names)
    assert not any(value in first.docker_compose for value in first.generated.values())
    again = await ours.internal.render_item(
        pb.RenderItemRequest(
            app_id="wordpress", revision=first.revision, generated=first.generated, public_port=30_007
        )
    )
    assert again.environment == first.environment
    assert again.docker_compose == first.docker_compose
    oci = await ours.internal.render_item(pb.RenderItemRequest(app_id="redis", runtime="oci"))
    assert oci.image.startswith("redis:")
    assert oci.environment["REDIS_PASSWORD"] == oci.generated["REDIS_PASSWORD"]
    assert oci.probe.port == oci.internal_port == 6379
    assert (oci.docker_compose, oci.port_published) == ("", False)


async def test_missing_inputs_are_field_violations(ours: Service) -> None:
    with pytest.raises(InvalidInputsError) as caught:
        await ours.internal.render_item(pb.RenderItemRequest(app_id="pgadmin", environment={"BAD-NAME": "x"}))
    assert {v.field for v in caught.value.violations} == {"environment.PGADMIN_EMAIL", "environment.BAD-NAME"}


async def test_a_preview_shows_what_would_run_with_its_secrets_masked(ours: Service) -> None:
    request = pb.PreviewItemRequest(app_id="wordpress", environment={"DB_PASSWORD": "hush"}, hostname="blog")
    shown = await ours.api.preview_item(request, ask())
    assert shown.environment == {"DB_PASSWORD": "********", "DB_ROOT_PASSWORD": "********"}
    assert "hush" not in str(shown)
    assert "name: blog" in shown.docker_compose
    assert (shown.memory, shown.cores, shown.disk, shown.swap) == (2048, 2, 8, 512)


async def test_a_preview_says_where_it_would_go_or_why_nowhere(ours: Service) -> None:
    request = pb.PreviewItemRequest(app_id="wordpress", node="pve2")
    shown = await ours.api.preview_item(request, ask())
    assert (shown.host_id, shown.node, shown.placement_message) == (1, "pve2", "")
    assert {volume.path for volume in shown.volumes} >= {"/var/lib/mysql"}
    request.config.update({"memory": 8192})
    shown = await ours.api.preview_item(request, ask())
    assert (shown.HasField("node"), shown.HasField("host_id")) == (False, False)
    assert (shown.memory, shown.placement_message) == (8192, "no node has 8192 MB")


async def test_a_preview_takes_the_settings_of_a_deployment(ours: Service) -> None:
    request = pb.PreviewItemRequest(app_id="nginx")
    request.config.update({"runtime": "oci", "image": "nginx:1.27.0", "port": 8081})
    shown = await ours.api.preview_item(request, ask())
    assert (shown.runtime, list(shown.images), shown.ports[0].port) == ("oci", ["nginx:1.27.0"], 8081)


async def test_a_preview_without_apps_shows_the_needs_of_the_item_and_says_so(ours: Service) -> None:
    ours.deployments.is_down = True
    shown = await ours.api.preview_item(pb.PreviewItemRequest(app_id="wordpress"), ask())
    needed = ours.catalog.index.get_item("wordpress").resources
    assert (shown.memory, shown.disk) == (needed.memory.minimum, needed.disk.minimum)
    assert shown.placement_message == "apps does not answer"


def size_of(answer: Any) -> int:
    return len(answer.data) if isinstance(answer, Rendered) else answer.ByteSize()


async def test_who_has_the_state_already_gets_no_body(db: Database, folder: Path) -> None:
    service = Service(db, folder)
    await service.api.reload_catalog(EMPTY)
    calls: list[tuple[Callable[..., Any], Any]] = [
        (service.api.list_items, pb.ListItemsRequest()), (service.api.get_item, pb.GetItemRequest(app_id="sample")),
        (service.api.search_items, pb.SearchItemsRequest(q="sample")), (service.api.list_categories, EMPTY),
        (service.api.list_category_items, pb.ListCategoryItemsRequest(category="tools")),
        (service.api.get_catalog_stats, EMPTY), (service.api.get_item_schema, EMPTY),
    ]  # fmt: skip
    tags = {}
    for method, request in calls:
        first = ask()
        assert size_of(await method(request, first)) > 0
        tags[method] = dict(first.headers)["etag"]
        for known in (tags[method], f'"other", W/{tags[method]}', "*"):
            again = ask(if_none_match=known)
            assert size_of(await method(request, again)) == 0
            assert again.http_status == 304
        other = ask(if_none_match='"other"')
        assert size_of(await method(request, other)) > 0
        assert other.http_status is None
    (folder / "sample.yaml").write_text(ITEM.replace('version: "1.0"', 'version: "2.0"'))
    await service.api.reload_catalog(EMPTY)
    for method, request in calls[:-1]:
        changed = ask(if_none_match=tags[method])
        assert size_of(await method(request, changed)) > 0


async def test_icons_and_the_schema_may_be_kept_for_a_day(ours: Service) -> None:
    asked = ask()
    icon = await ours.api.get_item_icon(pb.GetItemIconRequest(app_id="postgres"), asked)
    assert icon.data.startswith(b"<svg")
    headers = dict(asked.headers)
    assert headers["cache-control"] == "public, max-age=86400"
    again = ask(if_none_match=headers["etag"])
    assert not (await ours.api.get_item_icon(pb.GetItemIconRequest(app_id="postgres"), again)).data
    assert again.http_status == 304
    schema = await ours.api.get_item_schema(EMPTY, ask())
    assert (schema.content_type, json.loads(schema.data)["title"]) == (
        "application/schema+json",
        "Proximity catalog item",
    )


async def test_a_search_keeps_to_the_filters(ours: Service) -> None:
    request = pb.SearchItemsRequest(
        q="database", runtime="oci", memory=256, architecture="arm64", source="builtin"
    )
    found = (await ours.api.search_items(request, ask())).message.applications
    assert found
    assert all("oci" in i.runtimes and i.min_memory <= 256 and "arm64" in i.architectures for i in found)
    assert (
        await ours.api.search_items(pb.SearchItemsRequest(q="database", source="x"), ask())
    ).message.total == 0
    few = pb.ListCategoryItemsRequest(category="databases", memory=64)
    small = (await ours.api.list_category_items(few, ask())).message.applications
    assert all(item.min_memory <= 64 for item in small)


async def test_the_newest_revisions_of_known_items_are_told(ours: Service) -> None:
    answer = await ours.internal.list_revisions(
        pb.ListRevisionsRequest(app_ids=["nginx", "nothing", "redis"])
    )
    assert [entry.app_id for entry in answer.revisions] == ["nginx", "redis"]
    assert (
        answer.revisions[0].revision
        == (await ours.api.get_item(pb.GetItemRequest(app_id="nginx"), ask())).message.revision
    )


async def test_all_newest_revisions_are_told_when_none_is_named(ours: Service) -> None:
    answer = await ours.internal.list_revisions(pb.ListRevisionsRequest())
    assert len(answer.revisions) == len(ours.catalog.index.items)


async def test_values_go_to_another_revision_but_for_those_of_inputs_that_are_gone(
    db: Database, folder: Path
) -> None:
    service = Service(db, folder)
    await service.api.reload_catalog(EMPTY)
    given = {"SITE": "https://example.com", "TITLE": "VersionedLruCache", "OWN_VARIABLE": "mine"}
    old = await service.internal.render_item(pb.RenderItemRequest(app_id="sample", environment=given))
    assert old.inputs == old.environment
    assert old.inputs.keys() == {"SITE", "TITLE", "LEVEL", "ADMIN_PASSWORD", "OWN_VARIABLE"}
    text = ITEM.replace("        LEVEL: ${LEVEL}\n", "").replace(
        "  - {name: LEVEL, label: Level, type: number, minimum: 1, maximum: 9, default: 3}\n", ""
    )
    (folder / "sample.yaml").write_text(text)
    await service.api.reload_catalog(EMPTY)
    request = pb.RenderItemRequest(app_id="sample", environment=old.inputs, from_revision=old.revision)
    new = await service.internal.render_item(request)
    assert new.revision != old.revision
    assert new.inputs == {name: value for name, value in old.inputs.items() if name != "LEVEL"}
    assert new.generated == {}


async def test_a_reload_takes_changes_keeps_old_revisions_and_reports_bad_files(
    db: Database, folder: Path
) -> None:
    service, other = Service(db, folder), Service(db, folder)
    assert (await service.api.reload_catalog(EMPTY)).total == 1
    await other.catalog.refresh()
    old = (await other.api.get_item(pb.GetItemRequest(app_id="sample"), ask())).message
    (folder / "sample.yaml").write_text(ITEM.replace('version: "1.0"', 'version: "2.0"'))
    (folder / "broken.yaml").write_text("id: broken\n  name: [")
    result = await service.api.reload_catalog(EMPTY)
    assert (result.success, result.total, [r.file for r in result.rejected]) == (True, 1, ["broken.yaml"])
    assert "line 2" in result.rejected[0].error
    assert (await other.api.get_item(pb.GetItemRequest(app_id="sample"), ask())).message.version == "1.0"
    assert await other.catalog.refresh()
    assert not await other.catalog.refresh()
    assert (await other.api.get_item(pb.GetItemRequest(app_id="sample"), ask())).message.version == "2.0"
    kept = pb.RenderItemRequest(
        app_id="sample", revision=old.revision, environment={"SITE": "https://example.com"}
    )
    assert (await other.internal.render_item(kept)).version == "1.0"


async def test_an_item_that_another_replica_published_is_found_at_once(db: Database, folder: Path) -> None:
    service, other = Service(db, folder), Service(db, folder)
    await other.catalog.refresh()
    await service.api.reload_catalog(EMPTY)
    assert (await other.api.get_item(pb.GetItemRequest(app_id="sample"), ask())).message.id == "sample"


async def test_a_source_is_shown_as_published_only_where_its_items_answer(
    ours: Service, db: Database
) -> None:
    other = Service(db, DATA)
    await other.catalog.refresh()
    request = pb.CreateSourceRequest(name="acme", location="https://acme.example/t.json", format="portainer")
    source = await ours.api.create_source(request, ask())
    web = {"type": 1, "title": "Acme Web", "image": "acme/web:1", "ports": ["80:80"]}
    ours.fetcher.files = {"t.json": json.dumps([web]).encode()}
    await ours.fetch(source.id)
    assert [one.status for one in (await other.api.list_sources(EMPTY)).sources] == ["published"]
    assert [item.id for item in other.catalog.index.search_items("acme web", ItemFilter())] == [
        "acme.acme-web"
    ]


async def test_a_source_is_published_whole_or_not_at_all(ours: Service) -> None:
    request = pb.CreateSourceRequest(name="acme", location="https://acme.example/t.json", format="portainer")
    source = await ours.api.create_source(request, ask())
    assert (source.status, ours.woken) == ("new", 2)
    with pytest.raises(SourceDuplicateError):
        await ours.api.create_source(request, ask())
    with pytest.raises(SourceBusyError):
        await ours.api.refresh_source(pb.RefreshSourceRequest(source_id=source.id), ask())
    web = {"type": 1, "title": "Web", "image": "acme/web:1", "ports": ["80:80"]}
    ours.fetcher.files = {"t.json": json.dumps([web, {"type": 2, "title": "Swarm"}]).encode()}
    await ours.fetch(source.id)
    (listed,) = (await ours.api.list_sources(EMPTY)).sources
    assert (listed.status, listed.item_count, listed.rejected_count) == ("published", 1, 1)
    left = await ours.api.list_rejections(pb.ListRejectionsRequest(source_id=source.id))
    assert [(r.file, r.error) for r in left.rejections] == [
        ("t.json#swarm", "is a swarm stack, not meant for a single host")
    ]
    item = (await ours.api.get_item(pb.GetItemRequest(app_id="acme.web"), ask())).message
    assert item.source == "acme"
    with pytest.raises(IconNotFoundError):
        await ours.api.get_item_icon(pb.GetItemIconRequest(app_id="acme.web"), ask())

    ours.fetcher.files = {"t.json": b"not json"}
    await ours.api.refresh_source(pb.RefreshSourceRequest(source_id=source.id), ask())
    await ours.fetch(source.id)
    (listed,) = (await ours.api.list_sources(EMPTY)).sources
    assert (listed.status, listed.item_count, listed.refresh_hours) == ("failed", 1, 24)
    assert "is not JSON" in listed.error
    assert (
        await ours.api.get_item(pb.GetItemRequest(app_id="acme.web"), ask())
    ).message.revision == item.revision

    ours.fetcher.error = "does not answer"
    await ours.api.refresh_source(pb.RefreshSourceRequest(source_id=source.id), ask())
    await ours.fetch(source.id)
    assert "does not answer" in (await ours.api.list_sources(EMPTY)).sources[0].error

    await ours.api.delete_source(pb.DeleteSourceRequest(source_id=source.id))
    with pytest.raises(ItemNotFoundError):
        await ours.api.get_item(pb.GetItemRequest(app_id="acme.web"), ask())
    assert (
        await ours.internal.render_item(pb.RenderItemRequest(app_id="acme.web", revision=item.revision))
    ).name == "Web"
    with pytest.raises(SourceNotFoundError):
        await ours.api.delete_source(pb.DeleteSourceRequest(source_id=source.id))


@pytest.mark.parametrize(
    ("name", "location"),
    [("builtin", "https://a.example/x"), ("a", "http://a.example/x"), ("a", "https://u:p@a.example/x"), ("a", "file:///etc"),
     ("a", "/srv/../etc"), ("a", "relative"), ("a", "https://a.example/ x")],
)  # fmt: skip
async def test_a_source_that_cannot_be_is_refused(ours: Service, name: str, location: str) -> None:
    with pytest.raises(InvalidSourceError):
        await ours.api.create_source(
            pb.CreateSourceRequest(name=name, location=location, format="native"), ask()
        )
