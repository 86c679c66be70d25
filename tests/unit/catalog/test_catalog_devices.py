"""Devices of the host: what must be allowed, what only makes an app faster, and what of them the container gets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from services.apps.domain.deployment import build_app, plan_app
from services.apps.workflows.steps.container_creation import describe_container
from services.catalog.domain.entities import Input, InputType
from services.catalog.domain.errors import UnsafeDefinitionError
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat
from services.clients.catalog.client import GrpcCatalog
from tests.fakes.containers import FakeContainers
from tests.fakes.item_deployment import LocalClients, build_request


def load(service: str) -> LoadedItem:
    text = f"services: {{app: {{image: 'a/b:1', ports: ['80:80'], {service}}}}}"
    imported = import_collection(
        {"app/compose.yaml": text.encode()}, source="acme", kind=SourceFormat.COMPOSE
    )
    return imported.items[0]


GRAPHICS = [
    "devices: ['/dev/dri:/dev/dri']",
    "devices: ['/dev/dri/renderD128:/dev/dri/renderD128']",
    "volumes: ['/dev/dri:/dev/dri']",
]


@pytest.mark.parametrize("service", GRAPHICS)
def test_a_graphics_card_is_given_only_where_an_administrator_allows_it(service: str) -> None:
    item = load(service).item
    assert not item.allows
    assert any("CATALOG_HOST_NEEDS" in note for note in item.notes)
    without = render_item(item, RenderRequest(runtime="compose"))
    assert without.devices == ()
    assert "/dev/dri" not in without.compose_yaml
    with_card = render_item(item, RenderRequest(runtime="compose", optional_devices=True))
    assert with_card.devices[0].startswith("/dev/dri")
    (definition,) = yaml.safe_load(with_card.compose_yaml)["services"].values()
    assert definition["devices"][0].startswith("/dev/dri")


@pytest.mark.parametrize("device", ["/dev/nvidia0", "/dev/video11", "/dev/kfd", "/dev/vchiq"])
def test_cards_that_containers_cannot_have_are_left_out(device: str) -> None:
    item = load(f"devices: ['{device}:{device}']").item
    assert render_item(item, RenderRequest(runtime="compose", optional_devices=True)).devices == ()
    assert not any("CATALOG_HOST_NEEDS" in note for note in item.notes)


def test_permission_for_a_card_is_no_permission_for_other_devices() -> None:
    item = load("devices: ['/dev/net/tun:/dev/net/tun']").item
    service = {**item.compose["services"]["app"], "devices": ["${DEVICE:-/dev/net/tun}:/dev/net/tun"]}
    asked = Input("DEVICE", "Device", InputType.TEXT)
    item = replace(item, compose={"services": {"app": service}}, inputs=(asked,))
    assert item.allows == {"devices"}
    assert render_item(item, RenderRequest(runtime="compose")).devices == ("/dev/net/tun",)
    request = RenderRequest(runtime="compose", optional_devices=True, environment={"DEVICE": "/dev/mem"})
    with pytest.raises(UnsafeDefinitionError, match="/dev/mem"):
        render_item(item, request)


async def test_the_container_of_an_app_gets_the_devices_of_its_services() -> None:
    item = load("devices: ['/dev/net/tun:/dev/net/tun'], cap_add: [NET_ADMIN]").item
    new = build_request(item, runtime="compose", environment={})
    catalog = GrpcCatalog(LocalClients(item))
    app = await build_app(
        await plan_app(new, catalog, containers=FakeContainers()), catalog, public_port=30_100
    )
    assert describe_container(app, "").devices == ("/dev/net/tun",)
