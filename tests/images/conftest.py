"""Images of the working tree, and a composition that began with those of the commit before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.images import build_images
from tests.images.daemon import ROOT, Composition, copy_tracked, find_daemon_fault
from tests.images.jobs import deploy_app
from tests.pages import read_commands

PAGES_RUN_BY = str(Path(__file__).with_name("test_images_compose.py"))


@pytest.fixture(scope="session", autouse=True)
def docker() -> None:
    """Skip everything where there is no daemon."""
    if fault := find_daemon_fault():
        pytest.skip(f"these tests need Docker: {fault}")


@pytest.fixture(scope="session")
def built(docker: None) -> list[str]:
    """Tags of the images of the working tree."""
    return build_images(os.environ, root=ROOT, sboms=None)


@pytest.fixture(scope="module")
def composition(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """A composition that nothing of has been started."""
    made = Composition(tmp_path_factory.mktemp("images") / "checkout")
    yield made
    if (made.checkout / "deploy" / "secrets").exists():
        made.remove()


@pytest.fixture(scope="session")
def previous() -> str:
    """The commit that ran before: IMAGES_FROM, else the one before this."""
    asked = os.environ.get("IMAGES_FROM") or "HEAD^"
    found = subprocess.run(["git", "rev-parse", asked], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, f"no commit {asked}: {found.stderr}"
    return found.stdout.strip()


@pytest.fixture(scope="module")
def former(composition: Composition, previous: str) -> Composition:
    """The composition, running the images of the commit before."""
    copy_tracked(composition.checkout, previous)
    build_images(os.environ, root=composition.checkout, sboms=None)
    composition.make_secrets()
    composition.start()
    composition.wait_until_healthy()
    return composition


@pytest.fixture(scope="module")
def app_before(former: Composition) -> dict[str, Any]:
    """An app that was deployed by the version before."""
    return deploy_app(former)


@pytest.fixture(scope="module")
def running(former: Composition, app_before: dict[str, Any]) -> Composition:
    """The same composition after the upgrade to the working tree, by the commands of docs/deploying.md."""
    copy_tracked(former.checkout)
    first, upgrade, *_ = read_commands("docs/deploying.md", by=PAGES_RUN_BY)
    former.type_commands(first, profiles="simulator,metrics")
    former.type_commands(upgrade, profiles="simulator,metrics")
    former.wait_until_healthy()
    return former
