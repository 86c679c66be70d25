"""The catalog as apps sees it: the fake and the real service, with the same item, behave the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.clients.catalog.client import GrpcCatalog
from services.clients.catalog.interface import Catalog
from services.clients.catalog.values import Rendering
from services.common.core.errors import InvalidError, NotFoundError
from tests.contract.clients.wire import serve
from tests.fakes.catalog import FakeCatalog
from tests.fakes.catalog_replica import CatalogReplica
from tests.store.catalog_db import open_sqlite

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["CatalogInternalService"]
FIRST = """\
id: adminer
name: Adminer
version: "1"
description: Manages databases.
category: Tools
tags: [database]
author: Nobody
website: https://example.com/
documentation: https://example.com/docs
license: MIT
architectures: [amd64]
runtimes: [compose, oci]
resources: {memory: {minimum: 256, recommended: 512}, cpu: {minimum: 1, recommended: 1}, disk: {minimum: 2, recommended: 4}}
ports:
  - {service: web, container: 8080, published: 8080, purpose: web}
volumes:
  - {service: web, name: data, path: /data, purpose: data, backup: true}
inputs:
  - {name: THEME, label: Theme, type: text}
  - {name: PASSWORD, label: Password, type: password, generate: {length: 20}}
probe: {kind: http, path: /}
compose:
  services:
    web:
      image: adminer:r1
      ports: ["8080:8080"]
      environment: {THEME: "${THEME}", PASSWORD: "${PASSWORD}"}
      volumes: ["data:/data"]
  volumes:
    data:
"""
SECOND = (
    FIRST.replace("adminer:r1", "adminer:r2")
    .replace('version: "1"', 'version: "2"')
    .replace(
        "  - {name: PASSWORD", "  - {name: SITE, label: Site, type: url, required: true}\n  - {name: PASSWORD"
    )
    .replace('THEME: "${THEME}",', 'THEME: "${THEME}", SITE: "${SITE}",')
)


@dataclass
class Backend:
    """A client of a catalog with two revisions of one item; the second asks for SITE."""

    catalog: Catalog
    first: str
    second: str

    async def render(self, revision: str, **environment: str) -> Rendering:
        """Render a revision as a Compose project at port 80."""
        return await self.catalog.render_item(
            "adminer", environment, public_port=80, runtime="compose", project="web-01", revision=revision
        )


def make_fake() -> Backend:
    fake = FakeCatalog()
    fake.revisions = ["r1", "r2"]
    fake.required = {"r2": ("SITE",)}
    return Backend(fake, "r1", "r2")


async def publish(replica: CatalogReplica, folder: Path, text: str) -> str:
    """Publish the item's file and return its revision."""
    (folder / "adminer.yaml").write_text(text)
    reloaded = await replica.api.reload_catalog(empty_pb2.Empty())
    assert not reloaded.rejected, reloaded
    index = await replica.catalog.find_index("adminer")
    return index.get_item("adminer").revision


@pytest.fixture(params=["fake", "real"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if request.param == "fake":
        yield make_fake()
        return
    folder = tmp_path / "data"
    folder.mkdir()
    db = open_sqlite(tmp_path)
    replica = CatalogReplica(db, folder)
    first = await publish(replica, folder, FIRST)
    second = await publish(replica, folder, SECOND)
    async with serve(tmp_path / "wire", DESCRIPTOR, replica.internal, callers=["apps"]) as clients:
        yield Backend(GrpcCatalog(clients["apps"]), first, second)
    await db.close()


async def test_a_rendering_keeps_secrets_out_of_the_definition(backend: Backend) -> None:
    rendering = await backend.render(backend.first, THEME="dark")
    assert (rendering.catalog_id, rendering.revision) == ("adminer", backend.first)
    assert rendering.environment["THEME"] == "dark"
    assert rendering.environment["PASSWORD"] not in rendering.docker_compose
    assert "PASSWORD" in rendering.secret_names
    assert "THEME" not in rendering.secret_names
    service = yaml.safe_load(rendering.docker_compose)["services"]["web"]
    assert service["image"] == "adminer:r1"
    # The short and the long form of Compose mean the same.
    assert service["ports"] in (["80:8080"], [{"target": 8080, "published": "80", "protocol": "tcp"}])
    assert (rendering.min_memory, rendering.min_disk, rendering.internal_port) == (256, 2, 8080)
    assert rendering.probe is not None
    assert (rendering.probe.scheme, rendering.probe.port, rendering.port_published) == ("http", 8080, True)


async def test_values_of_an_app_are_kept_when_it_is_rendered_again(backend: Backend) -> None:
    before = await backend.render(backend.first)
    after = await backend.render(backend.first, **before.environment)
    assert after.environment == before.environment


async def test_a_missing_input_is_refused_by_its_name(backend: Backend) -> None:
    with pytest.raises(InvalidError) as refusal:
        await backend.render(backend.second)
    assert [one.field for one in refusal.value.violations] == ["environment.SITE"]
    rendering = await backend.render(backend.second, SITE="https://example.com")
    assert rendering.revision == backend.second


async def test_without_a_revision_the_newest_is_rendered(backend: Backend) -> None:
    rendering = await backend.render("", SITE="https://example.com")
    assert rendering.revision == backend.second
    revisions = await backend.catalog.list_revisions()
    assert revisions["adminer"].revision == backend.second


async def test_revisions_are_compared(backend: Backend) -> None:
    changes = await backend.catalog.compare_revisions("adminer", from_revision=backend.first, revision="")
    assert changes.revision == backend.second
    assert changes.images == (("web", "adminer:r1", "adminer:r2"),)
    assert [one.name for one in changes.added_inputs] == ["SITE"]
    assert changes.removed_inputs == ()


async def test_an_unknown_item_or_revision_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFoundError):
        await backend.render("r0")
    with pytest.raises(NotFoundError):
        await backend.catalog.compare_revisions("adminer", from_revision=backend.first, revision="r0")
    with pytest.raises(NotFoundError, match="nothing"):
        await backend.catalog.render_item("nothing", {}, public_port=80, runtime="compose")
