"""Steps of compose apps: install Docker in the container, write the definition, start it, probe it."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Generic, TypeVar

from services.apps.domain.changes import ChangeApp
from services.apps.domain.compose import COMPOSE, FOLDER, render_values_file
from services.apps.domain.entities import App
from services.apps.domain.errors import StepFailedError
from services.apps.domain.probe import find_target
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.container_scripts import (
    NO_INPUT,
    make_launch,
    make_prepare,
    make_write,
    render_files,
)
from services.apps.workflows.steps.tools import Tools, growing_delays
from services.common.operations.model import Context, Step, StepResult

_UP = ("docker", "compose", "-f", COMPOSE, "up", "-d", "--remove-orphans")

PULL_STALL_S = 1800  # a large layer comes without a word
_POLL_S = 1.0  # between two probes of an app that refuses
_PROBE_WAIT_S = 5.0  # for which inventory asks a port again: a look at the container costs three requests
_THOROUGH_S = 10.0  # between two looks from inside, each of which starts a process on the node

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
        """Docker and its compose plugin are there and the daemon answers; the app's files are written too."""
        return Step("install_docker", "Installing Docker", self._prepare, weight=20, applies=is_compose)

    @property
    def push_compose(self) -> Step[S]:
        """The definition and its values are in the container."""
        return Step("push_compose", "Writing the configuration", self.push, weight=2, applies=is_compose)

    @property
    def pull_images(self) -> Step[S]:
        """Every image is in the container; the services are started too."""
        return Step("pull_images", "Downloading the images", self._launch, weight=30, applies=is_compose)

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

    async def push(self, state: S, ctx: Context) -> S:
        """Write compose.yaml and .env, readable by root alone."""
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime == "compose" and not state.files_written:
            await write_files(self._tools, state, ctx=ctx, folder=FOLDER, files=_files_of(app, state.address))
        return state

    async def _prepare(self, state: S, ctx: Context) -> S:
        """Install Docker where it is missing and write the files, in one process."""
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime != "compose":
            return state
        # One process for both, as each one costs half a second on a real node.
        argv, files = make_prepare(with_files=True), render_files(*_files_of(app, state.address))
        code = await self._tools.run_script(state, ctx, argv=argv, stdin=files, accepted=(0, NO_INPUT))
        if code == NO_INPUT:  # inventory of a former release passes no input
            await self._tools.run_script(state, ctx, argv=make_prepare(with_files=False))
        return dataclasses.replace(state, files_written=code == 0)

    async def _launch(self, state: S, ctx: Context) -> S:
        """Download the images and start the services, in one process."""
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime != "compose":
            return state
        await self._tools.run_script(state, ctx, argv=make_launch(), stall_s=PULL_STALL_S)
        return dataclasses.replace(state, launched=True)

    async def start_project(self, state: S, ctx: Context) -> S:
        """Start every service of the project."""
        app = await self._tools.apps.get_app(state.app_id)
        if app.runtime == "compose" and not state.launched:
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
        target = find_target(app)
        port, grace_s = target.port, target.grace_s
        loop = asyncio.get_running_loop()
        end, message, delays = loop.time() + grace_s, "", growing_delays(self._poll_s)
        inside = loop.time() + min(_THOROUGH_S, grace_s / 2)
        while True:
            # From outside first, which costs the node nothing.
            thorough = loop.time() >= inside
            inside += _THOROUGH_S if thorough else 0
            probe = await self._tools.containers.probe_port(
                state.ref,
                owner=app.id,
                port=port,
                scheme=target.scheme,
                path=target.path,
                thorough=thorough,
                wait_s=_PROBE_WAIT_S,
            )
            if probe.answered:
                address = probe.address or state.address
                change = ChangeApp(app.id, {"address": address}) if address else ChangeApp(app.id, {})
                return StepResult(dataclasses.replace(state, address=address), (change,))
            message = probe.message
            if loop.time() >= end:
                break
            await asyncio.sleep(next(delays))
        await self._log_what_it_says(app, state, ctx=ctx)
        raise StepFailedError(
            f"port {port} does not answer after {grace_s} s: {message or 'nothing listens'}"
        )

    async def _log_what_it_says(self, app: App, state: S, *, ctx: Context) -> None:
        if app.runtime == "compose":
            argv = ("docker", "compose", "-f", COMPOSE, "logs", "--tail", "20")
            _, text = await self._tools.execute(state, argv=argv)
            for line in app.hide_secrets(text).splitlines()[-20:]:
                await ctx.log(line[:500], level="warning")


async def write_files(
    tools: Tools, state: AppState, *, ctx: Context, folder: str, files: tuple[str, str]
) -> None:
    """Write a folder's compose.yaml and .env, readable by root alone, in one process."""
    argv = make_write(folder)
    if await tools.run_script(state, ctx, argv=argv, stdin=render_files(*files), accepted=(0, NO_INPUT)):
        for name, content in zip(("compose.yaml", ".env"), files, strict=True):
            path = f"{folder}/{name}"
            await tools.containers.push_file(
                state.ref, owner=state.app_id, path=path, content=content, mode=0o600
            )


def _files_of(app: App, address: str) -> tuple[str, str]:
    """Return the compose.yaml and the .env of an app, with the address that its URL has."""
    compose = app.rendering.compose
    host = address or app.address or app.hostname
    return compose, render_values_file(compose, app.environment, host=host)
