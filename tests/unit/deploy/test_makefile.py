"""The targets of the Makefile that prepare everything else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_half_made_environment_is_made_again(tmp_path: Path) -> None:
    """As venv leaves it where a distribution has no ensurepip: an interpreter without pip."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "requirements-uv.txt").touch()  # nothing to install: the environment alone counts
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    made = [f"PYTHON={sys.executable}", ".venv/bin/uv"]
    subprocess.run(["make", "-s", "-C", tmp_path, *made], check=True, capture_output=True, timeout=300)
    subprocess.run([tmp_path / ".venv/bin/python", "-m", "pip", "--version"], check=True, capture_output=True)


def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "requirements-uv.txt").touch()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$2" = venv ] && exit 1\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    failed = subprocess.run(
        ["make", "-s", "-C", tmp_path, f"PYTHON={python}", ".venv/bin/uv"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert failed.returncode != 0
    assert "apt install python3-venv" in failed.stdout
    assert not (tmp_path / ".venv").exists()
