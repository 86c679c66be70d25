from collections.abc import Awaitable, Callable

import pytest

from tests.pvesim.guest import Completed, Guest, Place, World

ALPINE = "local:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz"
DEBIAN = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
Run = Callable[..., Awaitable[Completed]]


def make_guest(template: str, *, world: World, nesting: bool = True, address: str | None = None) -> Guest:
    guest = Guest.from_template(template, hostname="ct1")
    guest.place = Place(key="c1/105", vmid=105, address=address, nesting=nesting)
    guest.boot(world=world)
    return guest


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alpine(world: World) -> Guest:
    return make_guest(ALPINE, world=world)


@pytest.fixture
def debian(world: World) -> Guest:
    return make_guest(DEBIAN, world=world)


async def run_script(guest: Guest, script: str, *, world: World, stdin: bytes = b"") -> Completed:
    return await guest.run(["sh", "-c", script], world=world, stdin=stdin)


async def install_docker(guest: Guest, *, world: World) -> None:
    """Docker and compose, by the way that suits the guest's system."""
    script = "apk update && apk add docker docker-cli-compose && rc-update add docker default && rc-service docker start"
    if guest.flavour == "debian":
        script = "apt-get update && apt-get install -y curl && curl -fsSL https://get.docker.com | sh"
    done = await run_script(guest, script, world=world)
    assert done.exit_code == 0, done.stderr


async def start_compose(guest: Guest, text: str, *, world: World, directory: str = "/opt/app") -> Completed:
    """Write a compose file and bring it up."""
    guest.fs.make_dir(directory, parents=True)
    guest.fs.write(f"{directory}/compose.yaml", text.encode())
    return await run_script(guest, f"cd {directory} && docker compose up -d --wait", world=world)
