"""deploy/systemd/proximity.service starts what `make run` starts, with settings that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from deploy.configuration import list_names
from tests.pages import ROOT

UNIT = ROOT / "deploy" / "systemd" / "proximity.service"
OF_PYTHON = {"PYTHONDONTWRITEBYTECODE", "COLUMNS"}


def read_unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNIT.read_text("utf-8").splitlines():
        if re.match(r"[A-Za-z]+=", line):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def test_it_starts_what_make_run_starts() -> None:
    [(recipe)] = re.findall(r"^run: venv .*\n\t(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    [command], [folder] = read_unit()["ExecStart"], read_unit()["WorkingDirectory"]
    assert command == recipe.replace("$(BIN)", f"{folder}/.venv/bin")


def test_it_sets_variables_that_exist_and_writes_to_its_state_alone() -> None:
    unit = read_unit()
    variables = dict(pair.split("=", 1) for pair in " ".join(unit["Environment"]).split())
    assert set(variables) <= list_names() | OF_PYTHON
    assert variables["PROXIMITY_STATE_DIR"] == f"/var/lib/{unit['StateDirectory'][0]}"
    assert unit["ProtectSystem"] == ["strict"]
    assert "ReadWritePaths" not in unit


def test_a_wrong_setting_does_not_start_it_again() -> None:
    """`python -m deploy.local run` ends with 2 then, see test_configuration."""
    assert read_unit()["RestartPreventExitStatus"] == ["2"]


def test_systemd_accepts_it(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if not program:
        pytest.skip("systemd-analyze is not installed")
    text = UNIT.read_text("utf-8")
    text = re.sub(
        r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE
    )  # /opt/proximity is not here
    text = re.sub(r"^(User|Group|Documentation)=.*\n", "", text, flags=re.MULTILINE)
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    checked = subprocess.run([program, "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
    assert UNIT.name not in checked.stderr
