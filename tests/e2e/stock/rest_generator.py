"""openapi-python-client, in a folder of its own: its versions of libraries are not ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.stock.build import FOLDER, INSTALL_LIMIT_S, RUN_LIMIT_S

REQUIREMENTS = FOLDER / "requirements.txt"
PACKAGES = FOLDER.parents[2] / "build" / "openapi-python-client"  # outside of what our linters read
PACKAGE = "proximity_rest"
# What pip and uv say where there is no registry to reach.
_OFFLINE = (
    "Failed to establish a new connection",
    "Connection refused",
    "dns error",
    "timed out",
    "No matching distribution",
)


def install() -> str:
    """Install the locked packages; return why they cannot be had here, or an empty text.

    Raises:
        AssertionError: the lock file is refused.
    """
    marker = PACKAGES / ".installed"
    lock = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if marker.exists() and marker.read_text() == lock:
        return ""
    shutil.rmtree(PACKAGES, ignore_errors=True)
    PACKAGES.parent.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
         "-r", str(REQUIREMENTS), "--target", str(PACKAGES)],
        capture_output=True, text=True, timeout=INSTALL_LIMIT_S,
    )  # fmt: skip
    if done.returncode and any(sign in done.stderr for sign in _OFFLINE):
        return f"no package registry answers pip: {done.stderr.strip().splitlines()[-1]}"
    assert done.returncode == 0, done.stdout + done.stderr
    marker.write_text(lock)
    return ""


def generate(document: Path, output: Path) -> Path:
    """Generate the package below `output`; returns the folder that imports are relative to.

    Raises:
        AssertionError: the generator refuses the document, or leaves out a part of it.
    """
    package = output / PACKAGE
    paths = {"PYTHONPATH": str(PACKAGES), "PATH": f"{PACKAGES / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document), "--meta", "none",
         "--config", str(FOLDER / "openapi-python-client.yaml"), "--output-path", str(package)],
        env=os.environ | paths, capture_output=True, text=True, timeout=RUN_LIMIT_S,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "warning" not in said.lower(), said
    return output


def check_types(generated: Path, walk: Path, cache: Path) -> None:
    """Check the package and a program that uses it, strictly.

    Raises:
        AssertionError: with what mypy says.
    """
    root = FOLDER.parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(FOLDER / "mypy.ini"), "--cache-dir", str(cache),
         str(generated / PACKAGE), str(walk)],
        env=os.environ | {"MYPYPATH": f"{generated}{os.pathsep}{root}"},
        cwd=generated, capture_output=True, text=True, timeout=RUN_LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
