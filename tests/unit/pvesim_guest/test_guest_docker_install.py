"""Installing Docker in a guest: packages, repositories, the daemon."""

import pytest

from tests.pvesim.guest import Guest, GuestFault, World
from tests.unit.pvesim_guest.conftest import (
    ALPINE,
    DEBIAN,
    make_guest,
    run_script,
)


async def test_docker_is_unknown_before_it_is_installed(alpine: Guest, world: World) -> None:
    assert (await run_script(alpine, "docker ps", world=world)).exit_code == 127


async def test_packages_need_an_index(alpine: Guest, debian: Guest, world: World) -> None:
    done = await run_script(alpine, "apk add docker", world=world)
    assert b"docker (no such package)" in done.stderr
    assert (await run_script(alpine, "apk add --no-cache docker", world=world)).exit_code == 0
    done = await run_script(debian, "apt-get install -y docker.io", world=world)
    assert (done.exit_code, done.stderr) == (100, b"E: Unable to locate package docker.io\n")


async def test_debian_12_has_no_compose_plugin_of_its_own(debian: Guest, world: World) -> None:
    script = "apt-get update && apt-get install -y docker.io docker-compose && docker info && docker-compose version"
    assert (await run_script(debian, script, world=world)).exit_code == 0
    done = await run_script(debian, "docker compose version", world=world)
    assert (done.exit_code, done.stderr.splitlines()[0]) == (1, b"docker: 'compose' is not a docker command.")
    done = await run_script(debian, "apt-get install -y docker-ce", world=world)
    assert b"no installation candidate" in done.stderr


async def test_debian_13_has_the_plugin(world: World) -> None:
    guest = make_guest("debian-13-standard_13.1-1_amd64.tar.zst", world=world)
    script = "apt-get update && apt-get install -y docker.io docker-compose && docker compose version"
    assert (await run_script(guest, script, world=world)).exit_code == 0


DOCKER_DOCS = r"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends ca-certificates curl >/dev/null
install -m 0755 -d /etc/apt/keyrings
curl -fsSL https://download.docker.com/linux/debian/gpg -o /etc/apt/keyrings/docker.asc
chmod a+r /etc/apt/keyrings/docker.asc
echo \
  "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian \
  $(. /etc/os-release && echo "$VERSION_CODENAME") stable" | tee /etc/apt/sources.list.d/docker.list > /dev/null
apt-get update -qq
apt-get -o Dpkg::Options::=--force-confold install -y docker-ce docker-ce-cli containerd.io docker-compose-plugin
systemctl is-active docker && docker compose version --short
"""


async def test_the_way_of_dockers_documentation_works_on_debian(debian: Guest, world: World) -> None:
    done = await run_script(debian, DOCKER_DOCS, world=world)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith(b"active\n2.40.0\n")
    assert b" bookworm stable\n" in debian.fs.read("/etc/apt/sources.list.d/docker.list")


async def test_an_unsigned_repository_is_refused(debian: Guest, world: World) -> None:
    debian.fs.write(
        "/etc/apt/sources.list.d/docker.list",
        b"deb https://download.docker.com/linux/debian bookworm stable\n",
    )
    assert (await run_script(debian, "apt-get update", world=world)).exit_code == 100


async def test_alpine_does_not_start_the_daemon_by_itself(alpine: Guest, world: World) -> None:
    done = await run_script(
        alpine, "apk update && apk add docker docker-cli-compose && docker ps", world=world
    )
    assert done.exit_code == 1
    assert b"Cannot connect to the Docker daemon" in done.stderr


async def test_the_daemon_takes_its_time(alpine: Guest) -> None:
    now = [1000.0]
    world = World(clock=lambda: now[0], seconds={**World().seconds, "docker_daemon": 2.0})
    await run_script(alpine, "apk update && apk add docker", world=world)
    world.scale, now[0] = 1.0, 2000.0
    assert (await run_script(alpine, "rc-service docker start", world=world)).exit_code == 0
    assert (await run_script(alpine, "docker info", world=world)).exit_code == 1
    now[0] += 2.0
    assert (await run_script(alpine, "docker info", world=world)).exit_code == 0


@pytest.mark.parametrize("template", [ALPINE, DEBIAN])
async def test_without_nesting_the_daemon_fails(template: str, world: World) -> None:
    guest = make_guest(template, world=world, nesting=False)
    start = "apk update && apk add docker && rc-service docker start"
    if template == DEBIAN:
        start = "apt-get update && apt-get install -y docker.io"
    done = await run_script(guest, start, world=world)
    assert done.exit_code != 0
    assert b"fail" in done.stderr
    assert (await run_script(guest, "docker info", world=world)).exit_code == 1


async def test_the_mirror_can_be_out_of_reach(alpine: Guest, debian: Guest, world: World) -> None:
    world.faults.append(GuestFault("mirror_unreachable", times=None))
    assert (await run_script(alpine, "apk update", world=world)).exit_code == 1
    assert (
        await run_script(debian, "apt-get update && apt-get install -y curl", world=world)
    ).exit_code == 100
