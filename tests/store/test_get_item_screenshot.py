"""GetItemScreenshot and GetItemIcon of imported items: collected with the source, served from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.config import DATA
from services.catalog.domain.entities import Item
from services.catalog.domain.errors import IconNotFoundError, ItemNotFoundError
from services.catalog.sources.process_importer import ProcessImporter
from services.catalog.store import SqlPictureStore
from services.catalog.workflows.collect_pictures import collect_pictures
from services.catalog.workflows.fetch_source import fetch_source
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.store.catalog_db import db

__all__ = ["db"]

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 20
ABOUT = {
    "main": "web", "title": {"en_us": "Web"}, "port_map": "8080", "category": "Media",
    "icon": "https://cdn.example/store/Apps/Web/icon.png",
    "screenshot_link": ["https://cdn.example/store/Apps/Web/one.jpg", "https://cdn.example/elsewhere.png"],
}  # fmt: skip
APP = {"name": "web", "services": {"web": {"image": "acme/web:1", "ports": ["8080:80"]}}, "x-casaos": ABOUT}


class NoWeb:
    """A network in which only one address answers."""

    async def fetch_picture(self, url: str, *, limit: int) -> bytes:
        assert url == "https://cdn.example/elsewhere.png"
        return PNG


async def import_app(service: CatalogReplica, pictures: SqlPictureStore) -> None:
    request = pb.CreateSourceRequest(name="casa", location="https://casa.example/a.git", format="casaos")
    source = await service.api.create_source(request, make_call())
    service.fetcher.files = {
        "Apps/Web/docker-compose.yml": yaml.safe_dump(APP).encode(),
        "Apps/Web/icon.png": PNG,
        "Apps/Web/one.jpg": JPEG,
    }

    async def collect(source: str, items: Sequence[Item], *, files: Mapping[str, bytes]) -> None:
        await collect_pictures(pictures, NoWeb(), source=source, items=items, files=files)

    await fetch_source(
        service.store,
        service.store,
        fetcher=service.fetcher,
        importer=ProcessImporter(),
        source_id=source.id,
        on_published=collect,
    )


async def test_pictures_of_an_imported_item_are_served_from_here(db: Database) -> None:
    service = CatalogReplica(db, Path(DATA))
    await import_app(service, SqlPictureStore(db))
    item = (await service.api.get_item(pb.GetItemRequest(app_id="casa.web"), make_call())).message
    assert item.icon == "/api/catalog/casa.web/icon"
    assert list(item.screenshots) == [f"/api/catalog/casa.web/screenshots/{number}" for number in (1, 2)]
    icon = await service.api.get_item_icon(pb.GetItemIconRequest(app_id="casa.web"), make_call())
    assert (icon.content_type, icon.data) == ("image/png", PNG)
    shots = [
        await service.api.get_item_screenshot(
            pb.GetItemScreenshotRequest(app_id="casa.web", number=number), make_call()
        )
        for number in (1, 2)
    ]
    assert [(shot.content_type, shot.data) for shot in shots] == [("image/jpeg", JPEG), ("image/png", PNG)]


async def test_a_screenshot_that_is_not_there_is_not_found(db: Database) -> None:
    service = CatalogReplica(db, Path(DATA))
    await import_app(service, SqlPictureStore(db))
    with pytest.raises(IconNotFoundError, match="has 2 screenshots"):
        await service.api.get_item_screenshot(
            pb.GetItemScreenshotRequest(app_id="casa.web", number=3), make_call()
        )
    with pytest.raises(ItemNotFoundError):
        await service.api.get_item_screenshot(
            pb.GetItemScreenshotRequest(app_id="casa.nothing", number=1), make_call()
        )


async def test_pictures_go_with_their_source(db: Database) -> None:
    service, pictures = CatalogReplica(db, Path(DATA)), SqlPictureStore(db)
    await import_app(service, pictures)
    (source,) = await service.store.list_sources()
    assert await pictures.find_picture("casa", "files/Apps/Web/icon.png") is not None
    await service.store.delete_source(source.id)
    assert await pictures.find_picture("casa", "files/Apps/Web/icon.png") is None
