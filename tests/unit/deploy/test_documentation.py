"""docs/ and the README speak of what there is: pages made from the code, targets, modules, paths, files."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from deploy.documentation.__main__ import render_pages
from gateway.surface import load_surface

ROOT = Path(__file__).parents[3]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/kubernetes/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.mark.parametrize("file", render_pages(), ids=lambda file: file.name)
def test_what_is_made_from_the_code_is_current(file: Path) -> None:
    assert file.read_text("utf-8") == render_pages()[file], "run `make docs`"


@by_page
def test_every_make_target_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"(?:^ {4}|`|&& )make ([a-z][a-z-]+)", page.read_text("utf-8"), re.MULTILINE))
    assert named <= TARGETS


@by_page
def test_every_module_that_a_page_runs_is_there(page: Path) -> None:
    for module in re.findall(r"python -m ([a-z_.]+[a-z])", page.read_text("utf-8")):
        assert importlib.util.find_spec(module) is not None, module


@by_page
def test_every_path_of_the_api_that_a_page_names_is_there(page: Path) -> None:
    known = {(each.method, _shape(each.path)) for method in load_surface().routed for each in method.bindings}
    known |= {("GET", _shape(method.websocket)) for method in load_surface().websockets}
    for method, path in re.findall(
        r"\b(GET|POST|PUT|PATCH|DELETE) (/api/[^\s`?|)]*)", page.read_text("utf-8")
    ):
        if path != "/api/docs":
            assert (method, _shape(path.rstrip("./,;:"))) in known, f"{method} {path}"


@by_page
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    folders = r"(?:deploy|docs|tests|services|gateway|protos|clients)"
    for name in re.findall(rf"`({folders}/[\w./-]*\w/?)`", page.read_text("utf-8")):
        if name != "deploy/secrets" and not name.startswith("deploy/secrets/"):  # made by `make secrets`
            assert (ROOT / name).exists(), name


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}|<[^>]*>|\$\w+", "{}", path)
