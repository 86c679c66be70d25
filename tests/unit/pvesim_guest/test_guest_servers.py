"""What listens in a guest answers on real sockets."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from itertools import count

import pytest

from tests.pvesim.guest import Guest, GuestServers, Place, World
from tests.unit.pvesim_guest.conftest import install_docker, run_script, start_compose

NUMBERS = count(2)


def free_address() -> str:
    """An address of the loopback network for this process alone."""
    pid, number = os.getpid(), next(NUMBERS)
    return f"127.{1 + pid % 250}.{pid // 250 % 250}.{number}"


async def ask(address: str, port: int, text: bytes) -> tuple[int, bytes]:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(text)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
        writer.close()
        return int(head.split()[1]), body


async def get(address: str, port: int, path: str = "/") -> tuple[int, bytes]:
    return await ask(address, port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


async def put(address: str, port: int, path: str, body: bytes) -> tuple[int, bytes]:
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return await ask(address, port, head.encode() + body)


@pytest.fixture
async def servers(world: World) -> AsyncIterator[GuestServers]:
    made = GuestServers(world)

    async def settle(guest: Guest) -> None:
        await made.sync(guest.place.key, guest.place.address, guest)

    world.settle = settle
    yield made
    await made.close()


APP = """
services:
  web:
    image: nginx:1.27
    ports: ["8080:80", "8081:9999", "127.0.0.1:8082:80"]
    volumes: ["site:/usr/share/nginx/html"]
    environment: {SECRET: value}
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: x}
    ports: ["5432:5432"]
volumes: {site: {}}
"""


@pytest.fixture
async def app(alpine: Guest, servers: GuestServers, world: World) -> Guest:
    alpine.place = Place(key="c1/105", vmid=105, address=free_address(), nesting=True)
    await install_docker(alpine, world=world)
    done = await start_compose(alpine, APP, world=world)
    assert done.exit_code == 0, done.stderr
    return alpine


async def test_an_app_answers_when_compose_has_returned(app: Guest) -> None:
    address = app.place.address or ""
    status, body = await get(address, 8080)
    assert status == 200
    assert all(text in body for text in (b"nginx:1.27", b"app", b"ct1"))
    assert await get(address, 8080, "/_env") == (200, b"SECRET\n")
    with pytest.raises(OSError, match=r"."):
        await get(address, 8082)


async def test_a_port_that_the_image_does_not_serve_resets(app: Guest) -> None:
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await get(app.place.address or "", 8081)


async def test_a_database_accepts_and_says_nothing(app: Guest) -> None:
    reader, writer = await asyncio.open_connection(app.place.address or "", 5432)
    writer.write(b"hello")
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_data_written_over_http_is_in_the_volume_and_in_copies(
    app: Guest, servers: GuestServers
) -> None:
    address = app.place.address or ""
    told: list[str] = []

    async def tell(key: str) -> None:
        told.append(key)

    servers.on_change = tell
    assert (await put(address, 8080, "/_data/note.txt", b"first"))[0] == 201
    assert told == ["c1/105"]
    assert app.fs.read("/var/lib/docker/volumes/app_site/_data/note.txt") == b"first"
    backup = app.copy()
    await put(address, 8080, "/_data/note.txt", b"second")
    assert await get(address, 8080, "/_data/note.txt") == (200, b"second")
    backup.place = app.place
    await servers.sync("c1/105", address, backup)
    assert await get(address, 8080, "/_data/note.txt") == (200, b"first")
    assert (await get(address, 8080, "/_data/none"))[0] == 404
    assert (await get(address, 8080, "/_data/%2e%2e/%2e%2e/x"))[0] == 400


async def test_nothing_answers_after_a_stop(app: Guest, servers: GuestServers) -> None:
    address = app.place.address or ""
    reader, writer = await asyncio.open_connection(address, 5432)
    app.shutdown()
    await servers.sync("c1/105", address, app)
    with pytest.raises(OSError, match=r"."):
        await get(address, 8080)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    assert servers.ports("c1/105") == []


async def test_compose_down_closes_the_ports(app: Guest, servers: GuestServers, world: World) -> None:
    assert servers.ports("c1/105") == [5432, 8080, 8081]
    await run_script(app, "cd /opt/app && docker compose down", world=world)
    assert servers.ports("c1/105") == []


async def test_an_address_outside_the_loopback_is_not_bound(app: Guest, servers: GuestServers) -> None:
    await servers.sync("c1/105", "192.0.2.1", app)
    assert servers.ports("c1/105") == []
    await servers.sync("c1/105", None, app)
    assert servers.errors("c1/105") == {}


async def test_a_taken_port_is_told_and_bound_when_free(app: Guest, servers: GuestServers) -> None:
    address = app.place.address or ""
    await servers.sync("c1/105", None, app)
    with socket.create_server((address, 8080)):
        await servers.sync("c1/105", address, app)
        assert servers.errors("c1/105") == {8080: "EADDRINUSE"}
        assert servers.ports("c1/105") == [5432, 8081]
    await servers.sync("c1/105", address, app)
    assert servers.errors("c1/105") == {}
    assert (await get(address, 8080))[0] == 200


async def test_an_app_resets_until_it_is_ready(app: Guest, world: World) -> None:
    now = [world.clock()]
    world.clock = lambda: now[0]
    world.seconds = {**world.seconds, "app_start": 100.0, "container_start": 0.0, "container_stop": 0.0}
    world.scale = 1.0
    await run_script(app, "docker restart app-web-1", world=world)
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await get(app.place.address or "", 8080)
    now[0] += 101
    assert (await get(app.place.address or "", 8080))[0] == 200


async def test_a_strangers_nginx_answers_on_port_80(
    debian: Guest, servers: GuestServers, world: World
) -> None:
    debian.place = Place(key="c1/200", vmid=200, address=free_address())
    debian.add_service("nginx")
    debian.boot(world=world)
    await servers.sync("c1/200", debian.place.address, debian)
    if servers.errors("c1/200"):
        assert servers.errors("c1/200") == {80: "EACCES"}
    else:
        assert b"Welcome to nginx!" in (await get(debian.place.address or "", 80))[1]
    listed = await run_script(debian, "ss -H -tln", world=world)
    assert [line.split()[3] for line in listed.stdout.decode().splitlines()] == ["0.0.0.0:22", "0.0.0.0:80"]
