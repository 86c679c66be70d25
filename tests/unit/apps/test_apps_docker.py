"""The steps with Docker, inside simulated Alpine and Debian containers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.apps.domain.errors import StepFailedError
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.compose import DockerSteps
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.interface import OnText
from services.clients.inventory.values import Ref
from services.common.core.errors import TransientError
from tests.fakes.containers import FakeContainers
from tests.fakes.one_app import APP, Notes, OneApp
from tests.pvesim.guest import Guest, GuestFault, World
from tests.unit.pvesim_guest.conftest import ALPINE, DEBIAN, make_guest


class GuestContainers(FakeContainers):
    """Commands and files go into a simulated guest."""

    def __init__(self, guest: Guest, world: World) -> None:
        super().__init__()
        self.guest, self.world, self.passes_input = guest, world, True

    async def exec(
        self,
        ref: Ref,
        *,
        owner: str,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        self.commands.append(tuple(argv))
        done = await self.guest.run(list(argv), world=self.world, stdin=stdin if self.passes_input else b"")
        await on_text((done.stdout + done.stderr).decode())
        return done.exit_code

    async def push_file(self, ref: Ref, *, owner: str, path: str, content: str, mode: int) -> None:
        self.guest.fs.make_dir(path.rpartition("/")[0], parents=True)
        self.guest.fs.write(path, content.encode())


@pytest.mark.parametrize("template", [ALPINE, DEBIAN], ids=["alpine", "debian"])
@pytest.mark.parametrize("passes_input", [True, False], ids=["input", "former release"])
async def test_a_bare_container_ends_with_the_app_up(template: str, passes_input: bool) -> None:
    world, notes = World(), Notes()
    guest = make_guest(template, world=world)
    containers = GuestContainers(guest, world)
    containers.passes_input = passes_input
    docker: DockerSteps[AppState] = DockerSteps(Tools(containers, OneApp()), poll_s=0.01)
    state = AppState(APP, 1, "pve1", 105)
    for step in (docker.install_docker, docker.push_compose, docker.pull_images, docker.compose_up):
        found = await step.run(state, notes)  # type: ignore[arg-type]
        assert isinstance(found, AppState)
        state = found
    assert len(containers.commands) <= (2 if passes_input else 4)
    assert "it's" not in str(containers.commands)
    listed = await guest.run(["sh", "-c", "docker compose -f /opt/proximity/compose.yaml ps"], world=world)
    assert b"nginx:1.27" in listed.stdout
    await docker.install_docker.run(state, notes)  # type: ignore[arg-type]
    inside = await guest.run(["cat", "/opt/proximity/.env"], world=world)
    assert inside.stdout == b'GREETING="it\'s \\$HOME"\n'


async def test_packages_of_the_distribution_that_fail_are_replaced_by_dockers_own() -> None:
    world, notes = World(), Notes()
    guest = make_guest("debian-12-standard_12.7-1_amd64.tar.zst", world=world)
    docker: DockerSteps[AppState] = DockerSteps(Tools(GuestContainers(guest, world), OneApp()), poll_s=0.01)
    await docker.install_docker.run(AppState(APP, 1, "pve1", 105), notes)  # type: ignore[arg-type]
    assert "docker-ce" in guest.packages


async def test_a_system_without_known_packages_ends_the_deployment_with_its_name() -> None:
    world, notes = World(), Notes()
    guest = make_guest(ALPINE, world=world)
    guest.fs.write("/etc/os-release", b"ID=slackware\n")
    docker: DockerSteps[AppState] = DockerSteps(Tools(GuestContainers(guest, world), OneApp()), poll_s=0.01)
    with pytest.raises(StepFailedError, match="Docker cannot be installed on slackware"):
        await docker.install_docker.run(AppState(APP, 1, "pve1", 105), notes)  # type: ignore[arg-type]


async def test_a_failure_names_the_stage_of_the_script_and_its_last_line() -> None:
    world, notes = World(), Notes()
    guest = make_guest(DEBIAN, world=world)
    containers = GuestContainers(guest, world)
    docker: DockerSteps[AppState] = DockerSteps(Tools(containers, OneApp()), poll_s=0.01)
    state = AppState(APP, 1, "pve1", 105)
    await docker.install_docker.run(state, notes)  # type: ignore[arg-type]
    world.faults.append(GuestFault("pull_rate_limited", subject="nginx"))
    with pytest.raises(TransientError, match=r"^Downloading the images failed with status 1: "):
        await docker.pull_images.run(state, notes)  # type: ignore[arg-type]
    assert any("toomanyrequests" in line for line in notes.lines)


class Talker(FakeContainers):
    """A container whose commands say more than anybody keeps."""

    async def exec(
        self,
        ref: Ref,
        *,
        owner: str,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        for number in range(200):
            await on_text(f"{number} {'x' * 1000}\n")
        return 0


async def test_of_what_a_command_says_the_end_is_kept() -> None:
    tools, state = Tools(Talker(), OneApp()), AppState(APP, 1, "pve1", 105)
    _, text = await tools.execute(state, argv=["true"])
    assert "199 x" in text
    assert len(text) <= 64 * 1024


class Blabber(FakeContainers):
    """A container whose commands fail and tell a secret."""

    async def exec(
        self,
        ref: Ref,
        *,
        owner: str,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        await on_text("no access with it's $HOME\n")
        return 1


async def test_secrets_that_a_failing_command_tells_are_masked() -> None:
    tools, notes = Tools(Blabber(), OneApp()), Notes()
    with pytest.raises(TransientError, match=r"no access with \*{8}$"):
        await tools.require(AppState(APP, 1, "pve1", 105), notes, argv=["up"], purpose="Starting")  # type: ignore[arg-type]
    assert notes.lines == ["no access with ********"]
