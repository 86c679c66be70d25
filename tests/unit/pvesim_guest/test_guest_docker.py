"""Docker in a guest: installed as on the real systems, failing as there."""

import asyncio
import json

import pytest

from services.apps.workflows.steps.container_scripts import make_prepare
from tests.pvesim.guest import Guest, GuestFault, Place, World
from tests.unit.pvesim_guest.conftest import (
    ALPINE,
    DEBIAN,
    install_docker,
    make_guest,
    run_script,
    start_compose,
)

WEB = """
services:
  web:
    image: nginx:1.27
    ports: ["8080:80"]
    volumes: ["site:/usr/share/nginx/html"]
    restart: unless-stopped
volumes: {site: {}}
"""


@pytest.fixture(params=[ALPINE, DEBIAN], ids=["alpine", "debian"])
async def ready(request: pytest.FixtureRequest, world: World) -> Guest:
    guest = make_guest(request.param, world=world)
    await install_docker(guest, world=world)
    return guest


@pytest.mark.parametrize(
    "left", ["no service", "a service that nobody started", "a service that nobody enabled"]
)
async def test_an_installation_that_was_cut_off_is_finished(ready: Guest, world: World, left: str) -> None:
    docker = ready.services["docker"]
    ready.stop_service("docker")
    docker.enabled = left == "a service that nobody started"
    if left == "no service":
        del ready.services["docker"]
        ready.packages.discard("docker.io")
    done = await run_script(ready, make_prepare(with_files=False)[2], world=world)
    assert (done.exit_code, ready.services["docker"].running) == (0, True), done
    assert ready.services["docker"].enabled


async def test_compose_brings_up_an_app(ready: Guest, world: World) -> None:
    done = await start_compose(ready, WEB, world=world)
    assert done.exit_code == 0, done.stderr
    page = await run_script(ready, "wget -qO- http://localhost:8080/", world=world)
    assert b"nginx:1.27" in page.stdout
    shown = await run_script(ready, "cd /opt/app && docker compose ps --format json", world=world)
    assert json.loads(shown.stdout)["State"] == "running"
    names = await run_script(ready, "docker ps --format '{{.Names}} {{.Image}}'", world=world)
    assert names.stdout == b"app-web-1 nginx:1.27\n"


@pytest.mark.parametrize(
    ("policy", "by_hand", "up"),
    [
        ("unless-stopped", False, True),
        ("unless-stopped", True, False),
        ("always", True, True),
        ('"no"', False, False),
    ],
)
async def test_restart_policies_decide_after_a_boot(
    policy: str, *, by_hand: bool, up: bool, alpine: Guest, world: World
) -> None:
    await install_docker(alpine, world=world)
    await start_compose(alpine, WEB.replace("unless-stopped", policy), world=world)
    if by_hand:
        await run_script(alpine, "cd /opt/app && docker compose stop", world=world)
    alpine.shutdown()
    assert alpine.listening() == []
    alpine.boot(world=world)
    assert bool([one for one in alpine.listening() if one.port == 8080]) == up


async def test_containers_stay_down_when_docker_is_not_enabled(alpine: Guest, world: World) -> None:
    await install_docker(alpine, world=world)
    await start_compose(alpine, WEB, world=world)
    await run_script(alpine, "rc-update del docker default", world=world)
    alpine.shutdown()
    alpine.boot(world=world)
    assert alpine.listening() == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("pull_not_found", b"pull access denied for nginx"),
        ("pull_rate_limited", b"toomanyrequests: You have reached your"),
        ("pull_unreachable", b"i/o timeout"),
        ("no_space", b"no space left on device"),
        ("runc_sysctl", b"open sysctl net.ipv4.ip_unprivileged_port_start"),
    ],
)
async def test_faults_strike_as_often_as_asked(kind: str, text: bytes, alpine: Guest, world: World) -> None:
    await install_docker(alpine, world=world)
    world.faults.append(GuestFault(kind, where="105", subject="nginx", times=1))
    done = await start_compose(alpine, WEB, world=world)
    assert done.exit_code == 1
    assert text in done.stderr
    assert (await start_compose(alpine, WEB, world=world)).exit_code == 0


async def test_a_hanging_command_ends_when_cancelled(alpine: Guest, world: World) -> None:
    world.faults.append(GuestFault("command_hang", subject="docker"))
    done = await run_script(alpine, "timeout 0.05 sleep 1000; echo $?", world=World(scale=1.0))
    assert done.stdout == b"124\n"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run_script(alpine, "docker ps", world=world), 0.05)


async def test_up_stays_in_the_foreground_unless_detached(alpine: Guest, world: World) -> None:
    await install_docker(alpine, world=world)
    await start_compose(alpine, WEB, world=world)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run_script(alpine, "cd /opt/app && docker compose up", world=world), 0.05)


@pytest.mark.parametrize("image", ["postgres:16", "mariadb:11", "mysql:8"])
async def test_a_database_without_a_password_does_not_run(image: str, alpine: Guest, world: World) -> None:
    await install_docker(alpine, world=world)
    done = await start_compose(alpine, f"services: {{db: {{image: '{image}'}}}}", world=world)
    assert done.exit_code == 1
    logs = await run_script(alpine, "cd /opt/app && docker compose logs --no-log-prefix", world=world)
    assert b"not specified" in logs.stdout


async def test_a_port_published_twice_is_refused(alpine: Guest, world: World) -> None:
    await install_docker(alpine, world=world)
    await start_compose(alpine, WEB, world=world)
    done = await start_compose(alpine, WEB, world=world, directory="/opt/other")
    assert done.exit_code == 1
    assert b"Bind for 0.0.0.0:8080 failed: port is already allocated" in done.stderr


async def test_down_keeps_volumes_unless_told(alpine: Guest, world: World) -> None:
    await install_docker(alpine, world=world)
    await start_compose(alpine, WEB, world=world)
    path = "/var/lib/docker/volumes/app_site/_data/x"
    await run_script(alpine, "docker exec app-web-1 sh -c 'echo kept > /usr/share/nginx/html/x'", world=world)
    assert alpine.fs.read(path) == b"kept\n"
    await run_script(alpine, "cd /opt/app && docker compose down", world=world)
    assert alpine.docker.containers == {}
    assert alpine.fs.exists(path)
    await start_compose(alpine, WEB, world=world)
    await run_script(alpine, "cd /opt/app && docker compose down -v", world=world)
    assert not alpine.fs.exists(path)


async def test_a_changed_file_recreates_only_what_changed(alpine: Guest, world: World) -> None:
    await install_docker(alpine, world=world)
    text = "services:\n  a: {image: 'nginx:1'}\n  b: {image: 'redis:7'}\n"
    await start_compose(alpine, text, world=world)
    before = {name: one.id for name, one in alpine.docker.containers.items()}
    done = await start_compose(alpine, text.replace("nginx:1", "nginx:2"), world=world)
    assert done.exit_code == 0
    after = {name: one.id for name, one in alpine.docker.containers.items()}
    assert [name for name in before if before[name] != after[name]] == ["app-a-1"]


async def test_a_guest_survives_storing_and_copies_are_independent(ready: Guest, world: World) -> None:
    await start_compose(ready, WEB, world=world)
    stored = json.loads(json.dumps(ready.to_dict()))
    again = Guest.from_dict(stored)
    assert again.to_dict() == ready.to_dict()
    twin = ready.copy()
    twin.fs.write("/root/only-here", b"x")
    twin.docker.containers["app-web-1"].state = "exited"
    assert ready.to_dict() == stored
    assert again.listening() == ready.listening()


async def test_an_image_guest_listens_on_its_port(world: World) -> None:
    guest = Guest.from_image(
        "grafana/grafana:12.0", hostname="g", env={"GF_SERVER_HTTP_PORT": "3333"}, entrypoint=None
    )
    guest.place = Place(key="c1/9", vmid=9)
    guest.boot(world=world)
    assert [(one.port, one.kind) for one in guest.listening()] == [(3333, "http")]
    assert Guest.from_dict(guest.to_dict()).listening() == guest.listening()
    guest = Guest.from_image("some/thing:1", hostname="g", env={}, entrypoint=None)
    guest.boot(world=world)
    assert [one.port for one in guest.listening()] == [8080]
    guest = Guest.from_image("postgres:16", hostname="g", env={}, entrypoint=None)
    guest.boot(world=world)
    assert (guest.listening(), guest.entrypoint_failed) == ([], True)


def test_a_thousand_guests_are_cheap() -> None:
    import tracemalloc

    make_guest(DEBIAN, world=World())
    tracemalloc.start()
    guests = [make_guest(DEBIAN, world=World()) for _ in range(200)]
    used = tracemalloc.get_traced_memory()[0] / len(guests)
    tracemalloc.stop()
    assert used < 40_000
    assert len(json.dumps(guests[0].to_dict())) < 2_000
