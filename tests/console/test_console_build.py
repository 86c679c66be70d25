"""What the committed build of the console weighs and what is in it."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.console_routes import list_console_files
from gateway.settings import STATIC

BUILT = STATIC / "console"
SOURCES = Path(__file__).parents[2] / "gateway" / "console" / "src"
FIRST_LOAD, SCREEN, TERMINAL, ALL = 60_000, 30_000, 90_000, 300_000  # bytes as they are sent, packed by gzip
FILES = list_console_files(STATIC)
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.(?:js|css))["']""")


def weigh(names: set[str]) -> int:
    return sum((BUILT / "assets" / f"{name}.gz").stat().st_size for name in names)


def list_imports(name: str) -> set[str]:
    """A script with everything that it imports statically, styles included."""
    seen: set[str] = set()
    wanted = {name}
    while wanted:
        each = wanted.pop()
        seen.add(each)
        if each.endswith(".js"):
            wanted |= set(_IMPORT.findall((BUILT / "assets" / each).read_text())) - seen
    return seen


def list_screens() -> dict[str, set[str]]:
    """Every dynamic import with the scripts and styles that Vite loads for it."""
    found: dict[str, set[str]] = {}
    for file in (BUILT / "assets").glob("*.js"):
        text = file.read_text()
        listed = re.search(r"__vite__mapDeps.*?\[((?:[\"']assets/[^\"']+[\"'],?)+)\]", text)
        deps = re.findall(r"assets/([\w.-]+)", listed[1]) if listed else []
        for name, numbers in re.findall(
            r"import\(`?[\"']?\./([\w.-]+\.js)`?[\"']?\)(?:,__vite__mapDeps\(\[([\d,]*)\]\))?", text
        ):
            found[name] = list_imports(name) | {deps[int(number)] for number in numbers.split(",") if number}
    return found


@pytest.fixture(scope="module")
def first() -> set[str]:
    page = (BUILT / "index.html").read_text()
    return {each for name in re.findall(r"/assets/([\w.-]+)", page) for each in list_imports(name)}


def test_the_first_load_is_light(first: set[str]) -> None:
    [sign_in] = [files for name, files in list_screens().items() if name.startswith("SignIn-")]
    assert weigh(first | sign_in) + (BUILT / "index.html.gz").stat().st_size <= FIRST_LOAD


def test_every_screen_is_light(first: set[str]) -> None:
    screens = list_screens()
    assert len(screens) >= 3
    heavy = {
        name: weigh(files - first)
        for name, files in screens.items()
        if weigh(files - first) > (TERMINAL if name.startswith("Terminal") else SCREEN)
    }
    assert not heavy


def test_everything_is_light() -> None:
    assert sum(each.file.with_name(f"{each.file.name}.gz").stat().st_size for each in FILES) <= ALL


def test_packed_files_are_the_files() -> None:
    listed: list[dict[str, Any]] = json.loads((BUILT / "manifest.json").read_text())["files"]
    for entry in listed:
        file = BUILT / entry["path"].lstrip("/")
        assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"]
        assert gzip.decompress(file.with_name(f"{file.name}.gz").read_bytes()) == file.read_bytes()


def test_nothing_is_there_that_is_not_served() -> None:
    listed = {each.file for each in FILES} | {each.file.with_name(f"{each.file.name}.gz") for each in FILES}
    there = {each for each in BUILT.rglob("*") if each.is_file()} - {BUILT / "manifest.json"}
    assert there == listed


def test_every_bundled_package_has_its_licence() -> None:
    text = (BUILT / "LICENSES.txt").read_text()
    for name in ("svelte", "@lucide/svelte", "openapi-fetch"):
        assert re.search(rf"^{re.escape(name)} \d+\.\d+\.\d+, \S+$", text, re.MULTILINE), name


@pytest.mark.parametrize(
    "file", sorted(SOURCES.rglob("*.svelte")), ids=lambda file: str(file.relative_to(SOURCES))
)
def test_templates_obey_the_policy(file: Path) -> None:
    text = file.read_text()
    assert "{@html" not in text
    assert not re.search(r'\sstyle="', text), (
        "the policy forbids style attributes: use a class or style:name={…}"
    )
    assert not re.search(r"https?://", text.replace("/^https?:", "")), "nothing is loaded from another origin"
    assert len(text.splitlines()) <= 300


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lock = json.loads((SOURCES.parent / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert all(
        each.get("integrity", "").startswith("sha512-") for each in packages.values() if not each.get("link")
    )
    assert not any("resolved" in each for each in packages.values())
