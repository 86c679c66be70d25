"""NATS with the users of the platform: each process does its own work and nothing that is another's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest.mock import create_autospec
from weakref import WeakKeyDictionary

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig
from nats.js.errors import APIError

from deploy.local.nats import make_nats, make_passwords, read_nats_health
from deploy.local.settings import LocalSettings
from deploy.nats.access import CONSUMERS, OPERATOR, SYSTEM, USERS
from services.apps.jobs import follow_backup_alerts
from services.apps.store import SqlAppStore
from services.clients.auth.verification import watch_revocations
from services.common.core.config import read_settings
from services.common.identity.tokens import Revocations
from services.common.messaging.bus import Bus, Message
from services.common.messaging.streams import REVOCATIONS_BUCKET, find_inbox_prefix
from services.registry import PROCESSES
from tests.pages import ROOT

LIMIT_S = 300.0
REFUSALS: WeakKeyDictionary[Client, list[str]] = WeakKeyDictionary()  # what NATS refused to a connection
REFUSED_S = 0.5  # a publication that is not permitted gets no answer


class Server:
    """NATS as a local stack runs it."""

    def __init__(self, state: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (state / "keys").mkdir(parents=True)
        settings = read_settings(LocalSettings, {"PROXIMITY_STATE_DIR": str(state)})
        spec = make_nats(settings, {"nats": self.port})
        self.passwords = make_passwords(state / "keys")
        self.process = subprocess.Popen(spec.arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def url(self, user: str) -> str:
        """Where a user connects."""
        return f"nats://{user}:{self.passwords[user]}@127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def connect(self, user: str, inbox: str = "") -> AsyncIterator[Client]:
        """A connection of a user, as `Bus` makes it."""
        url = self.url(user)
        prefix = inbox or find_inbox_prefix([url], user)
        refusals: list[str] = []

        async def note(error: Exception) -> None:
            refusals.append(str(error).lower())

        client = await nats.connect(url, inbox_prefix=prefix, allow_reconnect=False, error_cb=note)
        REFUSALS[client] = refusals
        try:
            yield client
        finally:
            await client.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("nats"))
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", running.port), timeout=1).close()
            break
        time.sleep(0.05)
    asyncio.run(make_streams(running))
    yield running
    running.process.kill()
    running.process.wait(10)


async def make_streams(server: Server) -> None:
    bus = Bus(
        server.url("inventory"), name="inventory"
    )  # the first process to connect makes them, whichever it is
    bus.start()
    assert await bus.wait_connected(timeout=LIMIT_S)
    await bus.close()


async def is_stored(client: Client, subject: str, data: bytes = b"x") -> bool:
    """Publish and wait until NATS has stored the message, or reported that the user may not publish it."""
    stored = asyncio.ensure_future(client.jetstream().publish(subject, data, timeout=LIMIT_S))
    refusal = f'"{subject.lower()}"'
    while not stored.done() and not any(refusal in one for one in REFUSALS[client]):
        await asyncio.wait({stored}, timeout=0.02)
    if not stored.done():
        stored.cancel()
    await asyncio.wait({stored})
    return not stored.cancelled() and stored.exception() is None


@pytest.mark.parametrize(
    "who", [{}, {"user": "stranger", "pass": "x"}, {"user": "auth", "pass": "wrong"}, {"auth_token": "x"}]
)
def test_nobody_connects_without_the_credentials_of_a_user(server: Server, who: dict[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as client:
        client.sendall(f"CONNECT {json.dumps(who)}\r\nPING\r\n".encode())
        said = b""
        while chunk := client.recv(4096):
            said += chunk
    assert b"-ERR 'Authorization Violation'" in said
    assert b"PONG" not in said


@pytest.mark.parametrize("process", PROCESSES)
async def test_a_process_works_with_its_own_user(server: Server, process: str) -> None:
    service = process.removesuffix("-worker")
    bus = Bus(server.url(process), name=service)
    received: asyncio.Queue[str] = asyncio.Queue()

    async def handle(message: Msg) -> None:
        await received.put(message.subject)

    bus.start()
    assert await bus.wait_connected(timeout=LIMIT_S)
    try:
        await bus.publish(Message(f"events.{service}.v1.done", b"x", f"{process}-event"))
        await bus.publish(Message(f"jobs.{service}.v1.run", b"x", f"{process}-job"))
        known = Revocations(lambda: bus.is_connected)
        following = asyncio.create_task(watch_revocations(bus, known))
        async with asyncio.timeout(LIMIT_S):
            while not known.is_current:  # noqa: ASYNC110 - NATS decides when
                await asyncio.sleep(0.02)
        for stream, durable in CONSUMERS.get(process, ()):
            subject = {"JOBS": f"jobs.{service}.v1.run", "EVENTS": "events.>", "AUDIT": "audit.>"}[stream]
            bus.consume(stream, subject, durable=durable, handler=handle)
            if stream == "AUDIT":
                async with server.connect("catalog") as catalog:
                    assert await is_stored(catalog, "audit.v1.recorded.catalog")
            async with asyncio.timeout(LIMIT_S):
                await received.get()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    finally:
        await bus.close()


@pytest.mark.parametrize("process", PROCESSES)
async def test_a_process_publishes_nothing_in_the_name_of_another(server: Server, process: str) -> None:
    service = process.removesuffix("-worker")
    others = {each.removesuffix("-worker") for each in PROCESSES} - {service}
    forbidden = [
        "audit.v1.recorded",
        "audit.v1.recorded.auth",
        *(f"audit.v1.recorded.{each}" for each in others),
    ]
    forbidden += [f"{kind}.{each}.v1.x" for each in sorted(others) for kind in ("events", "jobs")]
    if service != "auth":
        forbidden.append(f"$KV.{REVOCATIONS_BUCKET}.user.1")
    async with server.connect(process) as client:
        stored = await asyncio.gather(*(is_stored(client, subject) for subject in forbidden))
    assert [subject for subject, is_one in zip(forbidden, stored, strict=True) if is_one] == []


@pytest.mark.parametrize("process", PROCESSES)
async def test_a_process_cannot_delete_purge_or_change_a_stream(server: Server, process: str) -> None:
    async with server.connect(process) as client, server.connect(OPERATOR) as operator:
        js, orders = client.jetstream(timeout=REFUSED_S), []
        for stream in ("JOBS", "EVENTS", "AUDIT", f"KV_{REVOCATIONS_BUCKET}"):
            config = (await operator.jetstream().stream_info(stream)).config
            orders += [
                js.delete_stream(stream),
                js.purge_stream(stream),
                js.update_stream(config),
                js.delete_consumer(stream, "auth-audit") if "KV" not in stream else js.delete_stream(stream),
                js.add_consumer(stream, ConsumerConfig(durable_name="mine")),
            ]
        answers = await asyncio.gather(*orders, return_exceptions=True)
    assert [type(answer) for answer in answers if not isinstance(answer, (NatsError, TimeoutError))] == []


async def test_a_process_reads_no_consumer_and_no_reply_of_another(server: Server) -> None:
    seen: list[str] = []

    async def note(message: Msg) -> None:
        seen.append(message.subject)

    async with server.connect("catalog") as catalog, server.connect("auth") as auth:
        for subject in ("_INBOX.>", "_INBOX.auth.>", "audit.>", ">", "jobs.>", "live.apps.*"):
            await catalog.subscribe(subject, cb=note)
        await catalog.flush()
        await auth.jetstream().stream_info("JOBS")
        assert await is_stored(auth, "events.auth.v1.x")
        with pytest.raises((NatsError, TimeoutError)):
            await catalog.jetstream(timeout=REFUSED_S).pull_subscribe(
                "audit.>", durable="auth-audit", stream="AUDIT"
            )
        await catalog.flush()
    assert seen == []


async def test_a_consumer_does_not_deliver_in_the_name_of_another(server: Server) -> None:
    """NATS lets a process choose the subject to which its own consumer delivers."""
    forged = "audit.v1.recorded.apps"
    async with server.connect("catalog-worker") as worker, server.connect(OPERATOR) as operator:
        config = ConsumerConfig(
            durable_name="catalog-fetch", deliver_subject=forged, filter_subject="jobs.catalog.v1.run"
        )
        manager = operator.jetstream()
        with contextlib.suppress(NatsError):
            await manager.delete_consumer("JOBS", "catalog-fetch")
        with contextlib.suppress(NatsError, TimeoutError):
            await worker.jetstream(timeout=LIMIT_S).add_consumer("JOBS", config)
        assert await is_stored(worker, "jobs.catalog.v1.run", b"forged")
        await asyncio.sleep(REFUSED_S)
        found = await manager.stream_info("AUDIT", subjects_filter=forged)
        with contextlib.suppress(NatsError):
            await manager.delete_consumer("JOBS", "catalog-fetch")
    assert not found.state.subjects


async def test_the_operator_repairs_what_no_process_may(server: Server) -> None:
    async with server.connect(OPERATOR) as operator:
        bucket = await operator.jetstream().key_value(REVOCATIONS_BUCKET)
        await bucket.put("user.9", b"1")
        await bucket.purge("user.9")
        with pytest.raises(APIError):
            await operator.jetstream().delete_stream("NONE")


async def test_the_health_of_the_server_is_for_its_system_user_alone(server: Server) -> None:
    assert (await read_nats_health(server.port, server.passwords[SYSTEM]))["status"] == "ok"
    with pytest.raises(ValueError, match="Authorization"):
        await read_nats_health(server.port, "wrong")


def test_every_consumer_of_the_code_is_permitted_to_its_process() -> None:
    used = set()
    for file in (ROOT / "services").rglob("*.py"):
        text = file.read_text("utf-8")
        used |= set(re.findall(r'durable="([a-z-]+)"', text))
        if "= OperationQueue(" in text:  # consumes the jobs of its service
            used.add(f"{file.relative_to(ROOT / 'services').parts[0]}-run")
    bus = create_autospec(Bus, instance=True)
    follow_backup_alerts(bus, create_autospec(SqlAppStore, instance=True))  # makes the names of its consumers
    used |= {call.kwargs["durable"] for call in bus.consume.call_args_list}
    assert used == {durable for consumers in CONSUMERS.values() for _, durable in consumers}


def test_no_two_users_share_a_password(server: Server) -> None:
    assert set(server.passwords) == set(USERS)
    assert len(set(server.passwords.values())) == len(USERS)
    assert all((len(password) >= 24) for password in server.passwords.values())
