"""deploy/Dockerfile: linted, and it copies only what there is."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

from tests.contract.deploy.compose import ROOT

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
    assert "USER 10001" in base
    for stage in stages:
        assert "USER root" not in stage
