"""PreviewItem: definition, resources and place that a deployment would have, with its secrets masked."""

from __future__ import annotations

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import InvalidInputsError, ItemNotFoundError
from services.catalog.domain.search.catalog_index import CatalogIndex
from tests.fakes.catalog_replica import CatalogReplica, make_call


async def test_a_preview_shows_the_definition_with_its_secrets_masked(own: CatalogReplica) -> None:
    request = pb.PreviewItemRequest(app_id="wordpress", environment={"DB_PASSWORD": "hush"}, hostname="blog")
    shown = await own.api.preview_item(request, make_call())
    assert shown.environment == {"DB_PASSWORD": "********", "DB_ROOT_PASSWORD": "********"}
    assert "hush" not in str(shown)
    assert "name: blog" in shown.docker_compose
    assert (shown.memory, shown.cores, shown.disk, shown.swap) == (2048, 2, 8, 512)


async def test_a_preview_names_the_place_or_why_there_is_none(own: CatalogReplica) -> None:
    request = pb.PreviewItemRequest(app_id="wordpress", node="pve2")
    shown = await own.api.preview_item(request, make_call())
    assert (shown.host_id, shown.node, shown.placement_message) == (1, "pve2", "")
    assert {volume.path for volume in shown.volumes} >= {"/var/lib/mysql"}
    request.config.update({"memory": 8192})
    shown = await own.api.preview_item(request, make_call())
    assert (shown.HasField("node"), shown.HasField("host_id")) == (False, False)
    assert (shown.memory, shown.placement_message) == (8192, "no node has 8192 MB")


async def test_a_preview_takes_the_settings_of_a_deployment(own: CatalogReplica) -> None:
    request = pb.PreviewItemRequest(app_id="nginx")
    request.config.update({"runtime": "oci", "image": "nginx:1.27.0", "port": 8081})
    shown = await own.api.preview_item(request, make_call())
    assert (shown.runtime, list(shown.images), shown.ports[0].port) == ("oci", ["nginx:1.27.0"], 8081)


async def test_a_preview_without_apps_shows_the_needs_of_the_item_and_the_reason(
    own: CatalogReplica, own_index: CatalogIndex
) -> None:
    own.deployments.is_down = True
    shown = await own.api.preview_item(pb.PreviewItemRequest(app_id="wordpress"), make_call())
    needed = own_index.get_item("wordpress").resources
    assert (shown.memory, shown.disk) == (needed.memory.minimum, needed.disk.minimum)
    assert shown.placement_message == "apps does not answer"


async def test_wrong_inputs_and_unknown_items_are_refused(own: CatalogReplica) -> None:
    wrong = pb.PreviewItemRequest(app_id="wordpress", environment={"BAD-NAME": "x"})
    with pytest.raises(InvalidInputsError, match="BAD-NAME"):
        await own.api.preview_item(wrong, make_call())
    with pytest.raises(ItemNotFoundError, match="nothing"):
        await own.api.preview_item(pb.PreviewItemRequest(app_id="nothing"), make_call())
