"""The web console is served by the gateway itself: its files, and its page at every address of a screen."""

from __future__ import annotations

import gzip
import re

import httpx
import pytest

from gateway.console_routes import INDEX, POLICY, TERMINAL_POLICY, ConsoleFile, list_console_files
from gateway.settings import STATIC
from tests.contract.gateway.refusals import check_error

FILES = [each for each in list_console_files(STATIC) if each.path != INDEX]
PAGE = (STATIC / "console" / "index.html").read_bytes()
SCREENS = (
    "/",
    "/sign-in",
    "/apps",
    "/apps/",
    "/nothing/at/all",
    "/apps/own.thing-1a2b",
    "/store/own.thing",
    "/apps/own.thing-1a2b/other",
    "/apis",
    "/?next=/a.b",
)


def read_raw(client: httpx.Client, path: str, encoding: str) -> tuple[httpx.Response, bytes]:
    with client.stream("GET", path, headers={"accept-encoding": encoding}) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_files_are_served_packed_and_plain(anonymous: httpx.Client, file: ConsoleFile) -> None:
    packed, body = read_raw(anonymous, file.path, "gzip, deflate")
    assert (packed.status_code, packed.headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == file.file.read_bytes()
    plain, body = read_raw(anonymous, file.path, "identity")
    assert body == file.file.read_bytes()
    assert "content-encoding" not in plain.headers
    for response in (packed, plain):
        assert response.headers["content-type"] == file.kind
        assert set(response.headers["vary"].lower().split(", ")) == {"accept-encoding"}
        assert response.headers["x-content-type-options"] == "nosniff"
        assert ("immutable" in response.headers["cache-control"]) == file.path.startswith("/assets/")


@pytest.mark.parametrize("path", SCREENS)
def test_every_address_of_a_screen_has_the_page(anonymous: httpx.Client, path: str) -> None:
    response = anonymous.get(path)
    assert (response.status_code, response.content) == (200, PAGE)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["content-security-policy"] == POLICY
    head = anonymous.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["/apps/web-1/terminal", "/apps/own.thing-1a2b/terminal/"])
def test_the_terminal_has_a_policy_of_its_own(anonymous: httpx.Client, path: str) -> None:
    response = anonymous.get(path)
    assert (response.status_code, response.content) == (200, PAGE)
    assert response.headers["content-security-policy"] == TERMINAL_POLICY


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("br, gzip;q=0.5", "gzip"),
        ("gzip;q=1.0, *;q=0", "gzip"),
        ("gzip;q=0, br", None),
        ("gzip;q=0.000", None),
        ("x-gzip-not", None),
        ("br", None),
    ],
)
def test_the_packed_file_goes_to_who_takes_it(
    anonymous: httpx.Client, accepted: str, encoding: str | None
) -> None:
    response, _ = read_raw(anonymous, FILES[-1].path, accepted)
    assert response.headers.get("content-encoding") == encoding


@pytest.mark.parametrize(
    "path",
    [
        "/nope.php",
        "/.env",
        "/.git/config",
        "/apps/web-1/.env",
        "/store/x/y.php",
        "/nope/x.php",
        "/index.html",
        "/manifest.json",
        "/assets/",
        "/assets/nothing",
        "/assets/index-00000000.js",
        FILES[-1].path + ".gz",
        "/api",
        "/api/",
        "/api/nothing",
        "/proximity.apps.v1.AppsService/ListApps",
    ],
)
def test_what_is_neither_file_nor_screen_is_not_found(anonymous: httpx.Client, path: str) -> None:
    response = anonymous.get(path)
    check_error(response, 404, "NOT_FOUND")
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/apps", FILES[-1].path])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_console_is_read_only(anonymous: httpx.Client, method: str, path: str) -> None:
    response = anonymous.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    links = re.findall(r'(?:src|href)="([^"]+)"', PAGE.decode())
    assert links
    assert set(links) <= {each.path for each in FILES}
    assert not re.search(r"<script(?![^>]*src=)", PAGE.decode())
