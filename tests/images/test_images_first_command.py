"""The first command of README on machines that have only what README asks for, as an ordinary account."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.stack import find_port
from tests.images.daemon import ROOT, DockerError, run_docker

_LIMIT_S = 1500.0  # packages of the distribution, 750 MB of wheels, the demonstration
# python3-venv, make and git are what README names.
_PROGRAM = """
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv make git ca-certificates > /dev/null
useradd --create-home ordinary
su -s /bin/bash ordinary -c 'set -euo pipefail; cd; git clone -q /repository.bundle proximity; cd proximity; make demo'
"""
# What pip and uv need on machines with authorities of their own.
_PASSED = ("PIP_CERT", "SSL_CERT_FILE")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("distribution", ["debian:bookworm-slim", "debian:trixie-slim", "ubuntu:24.04"])
def test_make_demo_works_on_a_minimal_machine(distribution: str, tmp_path: Path) -> None:
    try:
        run_docker("image", "inspect", distribution)
    except DockerError:
        try:
            run_docker("pull", "--quiet", distribution)
        except (DockerError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"{distribution} cannot be had: {error}")
    bundle = tmp_path / "repository.bundle"
    subprocess.run(["git", "bundle", "create", "-q", str(bundle), "HEAD"], cwd=ROOT, check=True, timeout=60)
    bundle.chmod(0o644)
    tmp_path.chmod(0o755)
    options = [word for name in _PASSED for word in ("--env", name)]
    options += [
        "--env",
        f"PROXIMITY_PORT={find_port()}",
        "--network",
        "host",
        "--volume",
        f"{bundle}:/repository.bundle:ro",
    ]
    said = run_docker("run", "--rm", *options, distribution, "bash", "-c", _PROGRAM, timeout=_LIMIT_S)
    assert "everything worked" in said
