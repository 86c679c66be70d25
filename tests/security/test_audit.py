"""Every change and every sign-in is in the audit log: who, what, on what, from where, how it ended."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.empty_pb2 import Empty
from proximity.catalog.v1 import catalog_service_pb2 as catalog_pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as catalog_grpc

from services.common.identity.keys import make_service_keys, read_service_keys
from services.common.identity.tokens import Caller, Revocations, TokenVerifier, User
from services.common.rpc.call import Call
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext
from tests.e2e.stack import RunningStack
from tests.security.calls import try_call
from tests.security.conftest import Platform
from tests.security.principals import register
from tests.security.rpcs import list_rpcs

WAIT_S = 90.0
NOTHING_CHANGES = {"auth.VerifyToken"}
JSON = dict[str, Any]


def list_entries(stack: RunningStack, action: str) -> list[JSON]:
    found = stack.sign_in().send("GET", f"/auth/audit?action={action}&per_page=100")
    entries: list[JSON] = found["entries"]
    return entries


def test_every_rpc_that_changes_something_is_recorded(platform: Platform) -> None:
    owner = next(one for one in platform.principals if one.name == "other")
    wanted: set[str] = set()
    for rpc in list_rpcs():
        if rpc.rule.writes and rpc.access != "internal" and rpc.method.name != "Logout":
            try_call(platform, rpc, owner)
            wanted.add(f"{rpc.service}.{rpc.method.name}")
    api, deadline = platform.stack.sign_in(), time.monotonic() + WAIT_S
    missing = wanted - NOTHING_CHANGES
    while missing and time.monotonic() < deadline:
        for action in sorted(missing):
            if api.send("GET", f"/auth/audit?action={action}&per_page=1")["total"]:
                missing.discard(action)
    assert missing == set()


def test_an_entry_says_who_did_what_on_what_and_how_it_ended(platform: Platform) -> None:
    stack, estate = platform.stack, platform.estate
    session, api = register(stack)
    assert (
        api._request("DELETE", f"/apps/{estate.app_id}/backups/{estate.backup_id}", None).status_code == 404
    )
    deadline = time.monotonic() + WAIT_S
    mine: list[JSON] = []
    while not mine and time.monotonic() < deadline:
        entries = list_entries(stack, "backups.DeleteBackup")
        mine = [one for one in entries if one["username"] == session["user"]["username"]]
    assert mine[0]["outcome"] == "NOT_FOUND"
    assert estate.app_id in mine[0]["target"]
    assert str(estate.backup_id) in mine[0]["target"]
    assert mine[0]["address"] == "127.0.0.1"


def test_sign_ins_are_recorded_whether_they_succeed_or_not(stack: RunningStack) -> None:
    name = f"nobody{uuid.uuid4().hex[:8]}"
    body = {"username": name, "password": "wrong-Password-1"}
    requests.post(f"{stack.url}/api/auth/login", json=body, timeout=20)
    failed = [one for one in list_entries(stack, "auth.Login") if name in one["target"]]
    assert [one["outcome"] for one in failed] == ["UNAUTHENTICATED"]
    assert any(one["outcome"] == "OK" for one in list_entries(stack, "auth.Login"))


def test_the_chain_of_a_running_platform_is_whole(stack: RunningStack) -> None:
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{stack.state}/db/proximity.sqlite3",
        "SECRET_KEY": (stack.state / "keys" / "secret_key").read_text().strip(),
        "SERVICE_KEYS_DIR": str(stack.state / "keys"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.auth", "audit", "verify"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "the audit log is whole" in done.stdout


class Slow:
    """A catalog whose deletion takes longer than its caller waits."""

    def __getattr__(self, name: str) -> object:
        async def work(request: object, call: Call) -> Empty:
            await asyncio.sleep(30)
            return Empty()

        return work


class VersionedLruCache:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.outcomes: asyncio.Queue[str] = asyncio.Queue()

    def expect(self, call: Call, *, action: str) -> None:
        """Nothing is written before the end."""

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        await self.outcomes.put(f"{action} {call.audit_target} {outcome}")

    async def run(self) -> None:
        """Nothing waits."""


async def test_who_hangs_up_is_recorded_all_the_same(tmp_path: Path) -> None:
    make_service_keys(tmp_path)
    _, publics = read_service_keys(tmp_path, "catalog")

    async def find_key(_: str) -> Ed25519PublicKey | None:
        return None

    async def authenticate(_: str) -> Caller:
        return Caller(User(1, "root", is_staff=True), expires_at=time.time() + 60)

    kept = VersionedLruCache()
    guard = Guard(TokenVerifier("catalog", publics, find_key, Revocations(), authenticate))
    server = create_server()
    service = catalog_pb.DESCRIPTOR.services_by_name["CatalogService"]
    add_service(server, service, handlers=Slow(), context=ServerContext(guard=guard, audit=kept))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        metadata = (("authorization", "Bearer prx_x"),)
        request = catalog_pb.DeleteSourceRequest(source_id=7)
        stub = catalog_grpc.CatalogServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.DeleteSource(request, metadata=metadata, timeout=1)
        said = await asyncio.wait_for(kept.outcomes.get(), 20)
    assert said.startswith("catalog.DeleteSource source 7 ")
    assert said.rpartition(" ")[2] in {"CANCELLED", "DEADLINE_EXCEEDED"}
    await server.stop(None)
