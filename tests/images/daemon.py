"""The Docker daemon and the real `docker compose`, as an operator uses them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.api import Api
from tests.contract.compose.judge import find_program
from tests.e2e.stack import find_port

ROOT = Path(__file__).parents[2]
START_S = 420.0  # limit for loaded machines; an idle one takes 45 s
BUILD_S = 1500.0  # of every image from nothing, and of a start
_ASK_S = 120.0


class DockerError(Exception):
    """A command of Docker failed; the message is what it said."""


def run_docker(*words: str, timeout: float = _ASK_S) -> str:
    """Run `docker` and return what it prints.

    Raises:
        DockerError: it failed.
    """
    return _run(("docker", *words), {}, timeout)


def find_daemon_fault() -> str:
    """Say why no daemon can be used; empty where one answers."""
    try:
        run_docker("version", "--format", "{{.Server.Version}}")
    except FileNotFoundError:
        return "there is no program `docker`"
    except DockerError as error:
        return f"no Docker daemon answers: {error}"
    return ""


def _run(words: tuple[str, ...], environment: Mapping[str, str], timeout: float) -> str:
    done = subprocess.run(
        words, env=os.environ | environment, capture_output=True, text=True, timeout=timeout
    )
    if done.returncode:
        raise DockerError(f"{' '.join(words[:8])}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def copy_tracked(folder: Path, commit: str = "") -> None:
    """Lay out the repository in `folder`: a commit, or the working tree as it is. Secrets in it stay."""
    folder.mkdir(parents=True, exist_ok=True)
    if commit:
        source = f"git -C {ROOT} archive {commit}"
    else:
        source = (
            f"git -C {ROOT} ls-files -z --cached --others --exclude-standard --deduplicate | "
            f"(cd {ROOT} && xargs -0 ls -d 2>/dev/null | tar -c -T -)"
        )
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{source} | tar -x -C {folder}"], check=True, timeout=120
    )


class Composition:
    """A project of Docker Compose with the simulated Proxmox VE.

    Args:
        checkout: folder with the repository's files; its secrets are made here.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.name = f"proximity-test-{uuid.uuid4().hex[:8]}"
        self.port = find_port()
        self.metrics_port = find_port()
        self._environment = {"PROXIMITY_PORT": str(self.port), "PROMETHEUS_PORT": str(self.metrics_port)}

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.port}"

    def make_secrets(self) -> None:
        """`make secrets` of the checkout."""
        made = (sys.executable, "-m", "deploy.secrets", "deploy/secrets")
        subprocess.run(made, cwd=self.checkout, check=True, timeout=120, env=os.environ | {"PYTHONPATH": ""})

    def type_commands(self, text: str, *, profiles: str) -> str:
        """Run commands of a page in the checkout, with the `docker compose` and the environment of this repository.

        Raises:
            AssertionError: one failed.
        """
        tools = self.checkout.parent / "bin"
        tools.mkdir(exist_ok=True)
        docker = tools / "docker"
        real = shutil.which("docker")
        docker.write_text(
            f'#!/bin/sh\nif [ "$1" = compose ]; then shift; exec {find_program()} "$@"; fi\nexec {real} "$@"\n'
        )
        docker.chmod(0o755)
        made = "-o .venv/.installed -o .venv/.client"
        preamble = (
            f'set -euo pipefail\nmake() {{ command make BIN={Path(sys.executable).parent} {made} "$@"; }}\n'
        )
        environment = os.environ | self._environment
        environment |= {"COMPOSE_PROJECT_NAME": self.name, "COMPOSE_PROFILES": profiles}
        done = subprocess.run(
            ["bash", "-c", preamble + text],
            cwd=self.checkout,
            env=environment | {"PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=BUILD_S,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def read_secret(self, name: str) -> str:
        """A file of deploy/secrets."""
        return (self.checkout / "deploy" / "secrets" / name).read_text("utf-8").strip()

    def run(self, *words: str, profiles: tuple[str, ...] = ("simulator",), timeout: float = _ASK_S) -> str:
        """`docker compose -f deploy/compose.yaml` in the project.

        Raises:
            DockerError: it failed.
        """
        chosen = tuple(word for profile in profiles for word in ("--profile", profile))
        base = (str(find_program()), "--project-name", self.name)
        file = ("--file", str(self.checkout / "deploy" / "compose.yaml"))
        return _run((*base, *file, *chosen, *words), self._environment, timeout)

    def start(self, *, profiles: tuple[str, ...] = ("simulator",)) -> None:
        """`up --wait` with the images that are there."""
        try:
            self.run("up", "--detach", "--no-build", "--wait", profiles=profiles, timeout=START_S)
        except DockerError as error:
            raise DockerError(f"{error}\n{self.run('logs', '--tail', '15')[-8000:]}") from error

    def remove(self) -> None:
        """Containers, networks and volumes."""
        self.run("down", "--volumes", "--timeout", "5", profiles=("simulator", "metrics"), timeout=START_S)

    def inspect(self, service: str) -> dict[str, Any]:
        """What Docker says of the container of a service."""
        [identifier] = self.run("ps", "--all", "--quiet", service).split()
        [found] = json.loads(run_docker("inspect", identifier))
        return dict(found)

    def kill(self, service: str) -> None:
        """End a container's first process as a crash does, so that its restart policy takes effect."""
        process = str(self.inspect(service)["State"]["Pid"])
        helper = ("run", "--rm", "--pid", "host", "--user", "0", "--entrypoint", "python")
        image = self.inspect(service)["Config"]["Image"]
        run_docker(*helper, image, "-c", f"import os; os.kill({process}, 9)")

    def sign_in(self) -> Api:
        """The administrator of `make secrets`."""
        api = Api(self.url)
        api.sign_in("admin", self.read_secret("admin_password"))
        return api

    def wait_until_healthy(self, limit_s: float = 180.0) -> None:
        """Wait until /api/health says that everything is connected."""
        api = Api(self.url)
        deadline = time.monotonic() + limit_s
        while (health := self._read_health(api)).get("status") != "healthy":
            if time.monotonic() > deadline:
                raise DockerError(f"{health}\n{self.run('logs', '--tail', '15')[-8000:]}")
            time.sleep(0.5)

    @staticmethod
    def _read_health(api: Api) -> dict[str, Any]:
        try:
            return api.send("GET", "/health")
        except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
            return {"error": str(error)}
