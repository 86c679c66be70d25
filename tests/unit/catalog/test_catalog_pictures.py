"""Which files are pictures, and how those of a source are collected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.catalog.domain.entities import Item
from services.catalog.domain.pictures import (
    MAX_ICON,
    MAX_SCREENSHOT,
    InvalidPictureError,
    Picture,
    list_pictures,
    parse_picture,
)
from services.catalog.workflows.collect_pictures import collect_pictures
from tests.fakes.pictures import FakePictureFetcher, FakePictureStore
from tests.unit.catalog.samples import build

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 20
SVG = b'<?xml version="1.0"?><!-- by hand --><svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (PNG, "image/png"), (JPEG, "image/jpeg"), (b"GIF89a" + b"x" * 9, "image/gif"), (SVG, "image/svg+xml"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"), (b"\x00\x00\x01\x00\x01", "image/x-icon"),
        (b'<svg><use href="#a"/><image href="data:image/png;base64,AA=="/></svg>', "image/svg+xml"),
    ],
)  # fmt: skip
def test_the_type_of_a_picture_is_what_its_bytes_say(content: bytes, content_type: str) -> None:
    assert parse_picture(content, limit=MAX_ICON).content_type == content_type


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html><body>404</body></html>", b"#!/bin/sh", b"<svg><script>alert(1)</script></svg>",
        b"<svg onload='x()'></svg>", b"<svg><foreignObject/></svg>", b'<svg><a href="javascript:x()"/></svg>',
        b'<svg><image href="https://example.com/track.png"/></svg>', b"<svg><style>@import 'x'</style></svg>",
        b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', b'<svg><rect fill="url(https://example.com/a)"/></svg>',
    ],
)  # fmt: skip
def test_what_is_no_picture_or_more_than_one_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidPictureError):
        parse_picture(content, limit=MAX_ICON)


def test_a_picture_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidPictureError, match="larger"):
        parse_picture(PNG + b"x" * MAX_ICON, limit=MAX_ICON)


def make_item(name: str, icon: str, *screenshots: str) -> Item:
    return replace(build(), id=f"acme.{name}", source="acme", icon=icon, screenshots=screenshots)


async def collect(
    store: FakePictureStore, web: FakePictureFetcher, *items: Item, files: Mapping[str, bytes] | None = None
) -> None:
    await collect_pictures(
        store,
        web,
        source="acme",
        items=items,
        files=files or {},
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_pictures_are_fetched_once_and_those_of_items_that_are_gone_removed() -> None:
    store, web = FakePictureStore(), FakePictureFetcher(a=PNG, b=JPEG)
    one, two = make_item("one", "https://x.example/a"), make_item("two", "https://x.example/b")
    await collect(store, web, one, two)
    await collect(store, web, one)
    assert web.requests == ["https://x.example/a", "https://x.example/b"]
    assert store.found == {"https://x.example/a": Picture("image/png", PNG)}


async def test_a_file_of_the_source_needs_no_network_and_follows_its_changes() -> None:
    store, web, item = FakePictureStore(), FakePictureFetcher(), make_item("one", "files/apps/one/logo.jpg")
    await collect(store, web, item, files={"apps/one/logo.jpg": PNG})
    await collect(store, web, item, files={"apps/one/logo.jpg": JPEG})
    assert store.found == {"files/apps/one/logo.jpg": Picture("image/jpeg", JPEG)}
    assert web.requests == []


async def test_a_picture_that_fails_does_not_touch_the_others() -> None:
    store, web = FakePictureStore(), FakePictureFetcher(a=PNG, page=b"<html>")
    items = [make_item(name, f"https://x.example/{name}") for name in ("gone", "page", "a")]
    await collect(store, web, *items)
    assert store.found == {
        "https://x.example/gone": "https://x.example/gone answered 404",
        "https://x.example/page": "is no PNG, JPEG, GIF, WebP, ICO or SVG",
        "https://x.example/a": Picture("image/png", PNG),
    }


async def test_a_host_that_does_not_answer_is_asked_a_few_times_only() -> None:
    store, web = FakePictureStore(), FakePictureFetcher(a=PNG)
    items = [make_item(f"n{number}", f"https://down.example/{number}") for number in range(40)]
    await collect(store, web, *items, make_item("one", "https://x.example/a"))
    assert len([url for url in web.requests if "down" in url]) < 12
    assert store.found["https://x.example/a"] == Picture("image/png", PNG)


def test_our_own_icons_are_not_collected_and_screenshots_are_few() -> None:
    shots = [f"https://x.example/{number}.png" for number in range(9)]
    found = list_pictures([build(), make_item("one", "icons/one.svg", *shots)])
    assert found == dict.fromkeys(shots[:3], MAX_SCREENSHOT)
