"""deploy/Dockerfile: linted, and it copies what there is and all that is needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from deploy.images import find_envoy_image
from services.registry import SERVICES
from tests.contract.deploy.compose import COMPOSE, ROOT

_DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def test_the_linter_finds_no_fault() -> None:
    program = Path(sysconfig.get_path("scripts")) / "hadolint"
    found = subprocess.run([program, str(_DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "")


def test_what_is_copied_is_in_the_repository() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", _DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert copied
    for source in " ".join(copied).replace("${SERVICE}", "apps").split():
        assert (ROOT / source).exists(), source


def test_no_image_runs_as_root() -> None:
    stages = _DOCKERFILE.read_text("utf-8").split("\nFROM ")
    base = next(stage for stage in stages if " AS base" in stage.splitlines()[0])
    assert "USER 10001:10001" in base
    for stage in stages:
        assert "USER root" not in stage


def test_the_bases_are_arguments_of_one_version_everywhere() -> None:
    official = find_envoy_image()
    wheel = (ROOT / "deploy" / "requirements-envoy.txt").read_text("utf-8").split()[0]
    assert official.rpartition(":v")[2] == wheel.partition("==")[2]
    gateway = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["gateway"]
    assert gateway["build"]["args"] == {"ENVOY_IMAGE": f"${{ENVOY_IMAGE:-{official}}}"}
    bases = re.findall(r"^FROM (\S+)", _DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert {each for each in bases if ":" in each or "/" in each} == set()


def test_what_no_image_needs_is_not_sent_to_the_daemon() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert (
        "gateway/console" in ignored
    )  # sources and packages of npm; the built pages are below gateway/static
    assert ignored.index("gateway/console") > ignored.index("!gateway")


@pytest.mark.parametrize(
    ("stage", "service", "packages"),
    [
        *(("service", each, f"services.{each}, services.common, services.clients") for each in SERVICES),
        ("gateway", "", "gateway"),
        ("pvesim", "", "tests.pvesim"),
    ],
)
def test_an_image_holds_all_of_ours_that_its_programs_import(
    stage: str, service: str, packages: str, tmp_path: Path
) -> None:
    _lay_out(stage, service, tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"import importlib, pkgutil, {packages}\n"
        f"for package in ({packages},):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if '.versions' not in module.name:\n"
        "            importlib.import_module(module.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def _lay_out(stage: str, service: str, folder: Path) -> None:
    """What the stage `base` and this one copy from the repository, where they copy it to."""
    stages = {
        each.splitlines()[0].rpartition(" AS ")[2]: each
        for each in _DOCKERFILE.read_text("utf-8").split("\nFROM ")[1:]
    }
    for copied in re.findall(r"^COPY (?!--from)(.+)$", stages["base"] + stages[stage], re.MULTILINE):
        *sources, target = copied.replace("${SERVICE}", service).split()
        for source in sources:
            place = folder / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
