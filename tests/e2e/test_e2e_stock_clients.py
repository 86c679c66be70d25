"""Clients as other people publish them take one walk: sign in, deploy, watch, back up, restore, delete."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.browser.chromium import Page
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack
from tests.e2e.stock import build, openapi_generator, rest_generator
from tests.e2e.stock.pages import render_call, serve_pages
from tests.e2e.stock.programs import WALK_LIMIT_S, name_host, take_walk
from tests.e2e.stock.reflection import ReflectionPlatform
from tests.e2e.stock.walk import STEPS, walk


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """The origin of another web server, whose pages are the bundles."""
    build.BUNDLES.mkdir(exist_ok=True)
    with serve_pages(build.BUNDLES) as origin:
        yield origin


@pytest.fixture(scope="module")
def stack(pages: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One platform for all of them, which takes calls from those pages."""
    running = RunningStack(tmp_path_factory.mktemp("stock") / "state", CORS_ALLOWED_ORIGINS=pages)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def built() -> None:
    """The bundles of the TypeScript clients, made here where npm gets its packages."""
    if obstacle := build.install():
        pytest.skip(obstacle)
    build.generate()
    build.compile_walks()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("neither chromium nor google-chrome is installed (Debian: apt install chromium)")
    with Page(tmp_path_factory.mktemp("profile")) as page:
        page.send("Page.enable")
        yield page


@pytest.mark.timeout(2 * WALK_LIMIT_S)
@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_a_client_that_knows_only_reflection(stack: RunningStack, version: str) -> None:
    platform = ReflectionPlatform(f"127.0.0.1:{stack.port}", version)
    with platform.channel:
        taken = walk(platform, username=USERNAME, password=PASSWORD, hostname=name_host("reflection"))
        assert list(taken) == STEPS


@pytest.mark.timeout(build.INSTALL_LIMIT_S + 5 * build.RUN_LIMIT_S + WALK_LIMIT_S)
@pytest.mark.parametrize("client", build.NODE_WALKS)
@pytest.mark.usefixtures("built")
def test_a_client_in_node(stack: RunningStack, client: str) -> None:
    paths = ":".join(build.list_proto_paths())
    take_walk(stack, client, "node", str(build.BUNDLES / f"{client}.js"), PROTO_PATHS=paths)


@pytest.mark.timeout(build.INSTALL_LIMIT_S + 2 * build.RUN_LIMIT_S + WALK_LIMIT_S)
def test_a_client_of_openapi_python_client(stack: RunningStack, tmp_path: Path) -> None:
    if obstacle := rest_generator.install():
        pytest.skip(obstacle)
    document = tmp_path / "openapi.json"
    document.write_bytes(requests.get(f"{stack.url}/api/openapi.json", timeout=30).content)
    generated = rest_generator.generate(document, tmp_path / "generated")
    program = build.FOLDER / "rest_python.py"
    rest_generator.check_types(generated, program, tmp_path / "cache")
    paths = f"{generated}{os.pathsep}{build.FOLDER.parents[2]}"
    take_walk(stack, "rest-python", sys.executable, str(program), PYTHONPATH=paths)


@pytest.mark.timeout(2 * build.INSTALL_LIMIT_S + 3 * build.RUN_LIMIT_S + WALK_LIMIT_S)
def test_a_client_of_openapi_generator(stack: RunningStack) -> None:
    if obstacle := build.install() or openapi_generator.install():
        pytest.skip(obstacle)
    take_walk(stack, "typescript-fetch", "node", str(openapi_generator.build_typescript_fetch()))


@pytest.mark.timeout(build.INSTALL_LIMIT_S + 5 * build.RUN_LIMIT_S + WALK_LIMIT_S)
@pytest.mark.parametrize("client", build.PAGES)
@pytest.mark.usefixtures("built")
def test_a_client_in_a_browser_on_a_page_of_another_origin(
    stack: RunningStack, pages: str, browser: Page, client: str
) -> None:
    browser.send("Page.navigate", url=f"{pages}/{client}.html")
    browser.wait_for(f"document.title === '{client}' && !!window.walk")
    settings = {
        "url": stack.url,
        "username": USERNAME,
        "password": PASSWORD,
        "hostname": name_host(client),
    }
    assert browser.run(render_call(settings), limit_s=WALK_LIMIT_S) == STEPS
