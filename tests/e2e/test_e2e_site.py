"""The site of docs/, built and read as files: nothing comes from the network, the search works, tables are not cut off."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Page
from tests.pages import ROOT

BUILD_LIMIT_S = 300
_LOADED = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?(https?://[^"' >]+)""")
# Follows shadow roots: the search is a component of its own.
_LIST_RESULTS = """(() => {
  const found = [];
  const walk = root => {
    for (const each of root.querySelectorAll('*')) {
      if (each.shadowRoot) walk(each.shadowRoot);
      if (each.tagName === 'A') found.push(each.href);
    }
  };
  for (const each of document.querySelectorAll('*')) if (each.shadowRoot) walk(each.shadowRoot);
  return found.filter(href => href.startsWith('file:'));
})()"""
_FOCUSED = "document.activeElement?.shadowRoot?.activeElement?.getAttribute('role') === 'combobox'"
# A click before the component is there has no effect, and a second one would close it: each gets three seconds.
_OPEN_SEARCH = f"""new Promise(done => {{
  if (!({_FOCUSED})) document.querySelector('.md-search__button')?.click();
  const began = Date.now();
  const look = () => ({_FOCUSED}) || Date.now() - began > 3000 ? done({_FOCUSED}) : setTimeout(look, 50);
  look();
}})"""
# Of each table: whether it is wider than what shows it, without a way to scroll there.
_LIST_CUT = """[...document.querySelectorAll('.md-typeset table')].filter(table => {
  for (let each = table.parentElement; each; each = each.parentElement) {
    const style = getComputedStyle(each);
    if (table.getBoundingClientRect().right <= each.getBoundingClientRect().right + 1) continue;
    if (['auto', 'scroll'].includes(style.overflowX)) return false;
    if (style.overflowX !== 'visible') return true;
  }
  return table.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
}).map(table => table.innerText.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built from a copy of its sources."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    program = Path(sys.executable).parent / "zensical"
    done = subprocess.run(
        [program, "build", "--strict"], cwd=folder, capture_output=True, text=True, timeout=BUILD_LIMIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("the site was not tried in a browser: Chromium is missing")
    with Page(tmp_path_factory.mktemp("profile")) as opened:
        opened.send("Page.enable")
        opened.send("Network.enable")
        opened.send(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=0,
            uploadThroughput=0,
        )
        yield opened


def open_file(page: Page, file: Path) -> None:
    page.send("Page.navigate", url=file.as_uri())
    page.wait_for(f"location.href === '{file.as_uri()}' && document.readyState === 'complete'")


def list_entries(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from list_entries(target)


def test_every_page_is_in_the_navigation_and_built(site: Path) -> None:
    project = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert set(list_entries(project["nav"])) == pages
    assert [page for page in pages if not (site / page).with_suffix(".html").is_file()] == []


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loaded = {
        address for file in site.rglob("*.html") for address in _LOADED.findall(file.read_text("utf-8"))
    }
    assert loaded == set()


def test_the_search_finds_a_page_from_a_file(site: Path, page: Page) -> None:
    open_file(page, site / "reference" / "api.html")
    page.wait_for(_OPEN_SEARCH)
    page.send("Input.insertText", text="reverse proxy")
    found = page.wait_for(f"(found => found.length ? found : null)({_LIST_RESULTS})")
    assert any(address.startswith((site / "reverse-proxy.html").as_uri()) for address in found), found


@pytest.mark.parametrize("width", [1200, 400])
def test_no_table_is_cut_off(site: Path, page: Page, width: int) -> None:
    page.send(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    cut = {}
    for file in sorted(site.rglob("*.html")):
        open_file(page, file)
        if tables := page.run(_LIST_CUT):
            cut[file.name] = tables
    assert cut == {}
