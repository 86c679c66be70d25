"""GetItemIcon: our own icons from their folder, those of imported items as they were collected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import IconNotFoundError, ItemNotFoundError
from services.catalog.domain.pictures import Picture
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.store import SqlPictureStore
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, FixedCatalog, make_call
from tests.unit.catalog.samples import build

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
ICON = "https://cdn.example/icon.png"


@pytest.fixture
def imported(db: Database, folder: Path) -> CatalogReplica:
    """A replica with the same icon named by items of two sources."""
    items = [
        replace(build(), id=f"{source}.web", name=source, source=source, icon=ICON)
        for source in ("acme", "other")
    ]
    return CatalogReplica(db, folder, catalog=FixedCatalog(CatalogIndex(items)))


async def test_an_icon_of_ours_is_an_svg_that_may_be_cached_for_a_day(own: CatalogReplica) -> None:
    call = make_call()
    icon = await own.api.get_item_icon(pb.GetItemIconRequest(app_id="postgres"), call)
    assert (icon.content_type, icon.data[:4]) == ("image/svg+xml", b"<svg")
    headers = dict(call.headers)
    assert headers["cache-control"] == "public, max-age=86400"
    again = make_call(if_none_match=headers["etag"])
    assert (await own.api.get_item_icon(pb.GetItemIconRequest(app_id="postgres"), again)).data == b""
    assert again.http_status == 304


async def test_an_imported_icon_is_the_one_that_was_collected_from_its_source(
    db: Database, imported: CatalogReplica
) -> None:
    await SqlPictureStore(db).set_picture("acme", ICON, picture=Picture("image/png", PNG))
    icon = await imported.api.get_item_icon(pb.GetItemIconRequest(app_id="acme.web"), make_call())
    assert (icon.content_type, icon.data) == ("image/png", PNG)
    with pytest.raises(IconNotFoundError, match=r"other\.web has no icon"):
        await imported.api.get_item_icon(pb.GetItemIconRequest(app_id="other.web"), make_call())


async def test_an_icon_that_could_not_be_fetched_is_not_found(db: Database, imported: CatalogReplica) -> None:
    await SqlPictureStore(db).set_picture("acme", ICON, picture=None, error="answered 404")
    with pytest.raises(IconNotFoundError, match=r"acme\.web"):
        await imported.api.get_item_icon(pb.GetItemIconRequest(app_id="acme.web"), make_call())


async def test_an_unknown_item_has_no_icon(own: CatalogReplica) -> None:
    with pytest.raises(ItemNotFoundError, match="nothing"):
        await own.api.get_item_icon(pb.GetItemIconRequest(app_id="nothing"), make_call())
