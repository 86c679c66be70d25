"""The documentation is served from here, whole, and says what the gateway does."""

from __future__ import annotations

import re

import httpx
import pytest

from gateway.openapi import render_openapi
from gateway.pages import FILES, PATHS, Page
from gateway.settings import STATIC
from gateway.surface import load_surface
from services.auth.usecases.one_time_links import PAGE


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("page", FILES, ids=lambda page: page.path)
def test_files_are_served(anonymous: httpx.Client, page: Page, slash: str) -> None:
    response = anonymous.get(page.path + slash)
    assert response.status_code == 200
    assert response.content == (STATIC / page.file).read_bytes()
    assert response.headers["content-type"] == page.kind
    assert response.headers["content-security-policy"] == page.policy


def test_the_document_is_the_one_that_the_protos_give(anonymous: httpx.Client) -> None:
    response = anonymous.get("/api/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == render_openapi(load_surface())


@pytest.mark.parametrize("page", ["/api/docs", "/api/redoc", "/api/auth/redeem"])
def test_pages_ask_for_nothing_from_elsewhere(anonymous: httpx.Client, page: str) -> None:
    text = anonymous.get(page).text
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert links
    assert set(links) <= set(PATHS)
    assert not re.search(r"<script(?![^>]*src=)", text)


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_read_only(anonymous: httpx.Client, path: str) -> None:
    response = anonymous.post(path, json={})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert anonymous.head(path).status_code == 200


def test_the_page_of_one_time_links_is_where_auth_says() -> None:
    assert PAGE in PATHS
