"""Docker in a container: installed, given a compose definition, brought up, asked whether it answers."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Generic, TypeVar

from services.apps.domain.compose import render_values_file
from services.apps.domain.entities import App, ChangeApp
from services.apps.domain.errors import StepFailedError
from services.apps.workflows.state import AppState
from services.apps.workflows.tools import Tools, growing_delays
from services.common.operations.model import Context, Step, StepResult, TransientError

FOLDER = "/opt/proximity"
COMPOSE = f"{FOLDER}/compose.yaml"
_UP = ("docker", "compose", "-f", COMPOSE, "up", "-d", "--remove-orphans")
_PULL = ("docker", "compose", "-f", COMPOSE, "pull")
_DAEMON_WAIT_S = 30.0
_GRACE_S = 120
_PULL_STALL_S = 1800  # a large layer comes without a word
_POLL_S = 1.0
_APT = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
_ALPINE = (
    "apk add --no-cache docker docker-cli-compose && rc-update add docker default && rc-service docker start"
)
_LOOK = "cat /etc/os-release; docker compose version >/dev/null 2>&1"
_DOCKER_REPOSITORY = (
    f"{_APT} ca-certificates curl",
    "mkdir -p /etc/apt/keyrings",
    "curl -fsSL https://download.docker.com/linux/{id}/gpg -o /etc/apt/keyrings/docker.asc",
    (
        'echo "deb [signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/{id} {codename} stable"'
        " > /etc/apt/sources.list.d/docker.list"
    ),
    "apt-get update",
    f"{_APT} docker-ce docker-ce-cli containerd.io docker-compose-plugin",
)
_BUNDLED = {
    "ubuntu": f"{_APT} docker.io docker-compose-v2",
    "debian": f"{_APT} docker.io docker-compose-plugin",
}

S = TypeVar("S", bound=AppState)


def is_compose(state: AppState) -> bool:
    """Whether the app runs as a Compose project, or may: operations of earlier releases do not say."""
    return state.runtime != "oci"


def may_answer(state: AppState) -> bool:
    """Whether the app has a port that can be probed."""
    return state.has_port


class DockerSteps(Generic[S]):
    """Steps of apps that run as compose projects; operations on other apps do not have them."""

    def __init__(self, tools: Tools, *, poll_s: float = _POLL_S) -> None:
        self._tools = tools
        self._poll_s = poll_s

    @property
    def install_docker(self) -> Step[S]:
        """Docker and its compose plugin are there and the daemon answers."""
        return Step("install_docker", "Installing Docker", self._install, weight=20, applies=is_compose)

    @property
    def push_compose(self) -> Step[S]:
        """The definition and its values are in the container."""
        return Step("push_compose", "Writing the configuration", self.push, weight=2, applies=is_compose)

    @property
    def pull_images(self) -> Step[S]:
        """Every image is in the container."""
        return Step("pull_images", "Downloading the images", self._pull, weight=30, applies=is_compose)

    @property
    def compose_up(self) -> Step[S]:
        """Every service was started."""
        return Step(
            "compose_up", "Starting the application", self.start_project, weight=8, applies=is_compose
        )

    @property
    def probe(self) -> Step[S]:
        """The application answers."""
        return Step(
            "probe", "Waiting for the application to answer", self.wait_answer, weight=10, applies=may_answer
        )

    async def push(self, state: S, _ctx: Context) -> S:
        """Write compose.yaml and .env, readable by root alone."""
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime == "compose":
            push = self._tools.containers.push_file
            compose = str(app.rendering.get("compose", ""))
            await push(state.ref, app.id, path=COMPOSE, content=compose, mode=0o600)
            text = render_values_file(compose, app.environment)
            await push(state.ref, app.id, path=f"{FOLDER}/.env", content=text, mode=0o600)
        return state

    async def _install(self, state: S, ctx: Context) -> S:
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime != "compose":
            return state
        code, text = await self._tools.execute(state, argv=_shell(_LOOK))
        if code:
            await self._install_packages(state, ctx, release=text)
        await self._wait_daemon(state)
        return state

    async def _install_packages(self, state: S, ctx: Context, *, release: str) -> None:
        system, codename = read_os_release(release)
        if system == "alpine":
            await self._tools.require(state, ctx, argv=_shell(_ALPINE), purpose="Installing Docker")
            return
        if system not in _BUNDLED:
            raise StepFailedError(f"Docker cannot be installed on {system or 'an unknown system'}")
        await self._tools.require(state, ctx, argv=_shell("apt-get update"), purpose="apt-get update")
        code, _ = await self._tools.execute(state, argv=_shell(_BUNDLED[system]))
        if code:
            await ctx.log("Using Docker's own package repository")
            for template in _DOCKER_REPOSITORY:
                command = template.format(id=system, codename=codename)
                await self._tools.require(state, ctx, argv=_shell(command), purpose=command)
        await self._tools.execute(state, argv=_shell("systemctl enable --now docker"))

    async def _wait_daemon(self, state: S) -> None:
        loop = asyncio.get_running_loop()
        end, delays = loop.time() + _DAEMON_WAIT_S, growing_delays(self._poll_s)
        while loop.time() < end:
            code, _ = await self._tools.execute(state, argv=_shell("docker info"))
            if not code:
                return
            await asyncio.sleep(next(delays))
        raise TransientError(f"the Docker daemon does not answer after {_DAEMON_WAIT_S:.0f} s")

    async def _pull(self, state: S, ctx: Context) -> S:
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime == "compose":
            await self._tools.require(
                state, ctx, argv=_PULL, purpose="Downloading the images", stall_s=_PULL_STALL_S
            )
        return state

    async def start_project(self, state: S, ctx: Context) -> S:
        """Start every service of the project."""
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime == "compose":
            await self._tools.require(state, ctx, argv=_UP, purpose="docker compose up")
        return state

    async def wait_answer(self, state: S, ctx: Context) -> StepResult[S]:
        """Wait until the application answers at its port.

        Raises:
            StepFailedError: it does not within its grace.
        """
        app = await self._tools.apps.get_app(state.app_id)
        if app.port is None:
            return StepResult(state)
        scheme, port, path, grace_s = _probe_of(app)
        loop = asyncio.get_running_loop()
        end, message, delays = loop.time() + grace_s, "", growing_delays(self._poll_s)
        while True:
            probe = await self._tools.containers.probe(state.ref, app.id, port=port, scheme=scheme, path=path)
            if probe.answered:
                address = probe.address or state.address
                change = ChangeApp(app.id, {"address": address}) if address else ChangeApp(app.id, {})
                return StepResult(dataclasses.replace(state, address=address), (change,))
            message = probe.message
            if loop.time() >= end:
                break
            await asyncio.sleep(next(delays))
        await self._log_what_it_says(app, state, ctx)
        raise StepFailedError(
            f"port {port} does not answer after {grace_s} s: {message or 'nothing listens'}"
        )

    async def _log_what_it_says(self, app: App, state: S, ctx: Context) -> None:
        if app.runtime == "compose":
            argv = ("docker", "compose", "-f", COMPOSE, "logs", "--tail", "20")
            _, text = await self._tools.execute(state, argv=argv)
            for line in app.hide_secrets(text).splitlines()[-20:]:
                await ctx.log(line[:500], level="warning")


def read_os_release(text: str) -> tuple[str, str]:
    """ID and VERSION_CODENAME of an /etc/os-release."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {name.strip(): value.strip().strip("\"'") for name, value in pairs}
    return values.get("ID", ""), values.get("VERSION_CODENAME", "")


def _probe_of(app: App) -> tuple[str, int, str, int]:
    probe = app.rendering.get("probe") or {}
    asked = int(probe.get("port") or 0)
    port = asked if asked and asked != app.internal_port else int(app.port or 0)
    return (
        str(probe.get("scheme") or "tcp"),
        port,
        str(probe.get("path") or "/"),
        int(probe.get("grace_s") or _GRACE_S),
    )


def _shell(command: str) -> tuple[str, ...]:
    return ("sh", "-c", command)
