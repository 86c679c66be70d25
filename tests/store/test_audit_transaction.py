"""A change and its audit entry commit in one transaction, in every service that reports its calls by its outbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import events_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as stubs
from proximity.catalog.v1 import item_pb2

from services.backups.store.tables import outbox as backups_outbox
from services.clients.apps.errors import AppBusyError
from services.common.core.errors import DuplicateError, UnavailableError
from services.common.db.database import Database
from services.common.db.transactions import UnchangedError
from services.common.identity.keys import Sealer, make_service_keys, read_service_keys
from services.common.identity.tokens import Caller, Revocations, TokenVerifier, User
from services.common.messaging.outbox import define_tables
from services.common.rpc.call import Call
from services.common.rpc.interceptors import audit as audit_module
from services.common.rpc.interceptors import idempotency
from services.common.rpc.interceptors.audit import OutboxAudit
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext
from tests.databases import open_empty
from tests.store.backups_db import db
from tests.unit.backups.platform import build_platform, call_of

__all__ = ["db"]

METADATA = sa.MetaData()
OUTBOX, _ = define_tables(METADATA)
ANSWERS = idempotency.define_table(METADATA)
SHELF = sa.Table("shelf", METADATA, sa.Column("name", sa.String(50), primary_key=True))
BEARER = (("authorization", "Bearer prx_x"),)
ALICE = User(7, "alice", is_staff=True)


class Handlers:
    """A catalog that puts names on a shelf."""

    def __init__(self, shelf: Database) -> None:
        self._db = shelf
        self.refusals: list[Exception] = []

    def __getattr__(self, name: str) -> object:
        async def answer(_: object, __: Call) -> Empty:
            return Empty()

        return answer

    async def create_source(self, request: pb.CreateSourceRequest, _: Call) -> item_pb2.Source:
        def write(connection: sa.Connection) -> bool:
            if connection.execute(sa.select(SHELF).where(SHELF.c.name == request.name)).first():
                raise UnchangedError(result=False)
            connection.execute(SHELF.insert().values(name=request.name))
            return True

        if request.location == "prepared":
            await self._db.write(lambda c: c.execute(sa.select(1)), is_final=False)
            raise DuplicateError("another service refused")
        await self._db.write(write)
        if self.refusals:
            raise self.refusals.pop()
        return item_pb2.Source(id=1, name=request.name)

    async def refresh_source(self, request: pb.RefreshSourceRequest, _: Call) -> item_pb2.Source:
        if not await self._db.write(self._change_nothing):
            raise DuplicateError(f"nothing of {request.source_id} can be changed")
        return item_pb2.Source()

    def _change_nothing(self, connection: sa.Connection) -> bool:
        connection.execute(sa.select(1))
        raise UnchangedError(result=False)


class Dying(OutboxAudit):
    """As when the process dies between the change and the end of its call."""

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """Never comes to it."""


@dataclass
class Stack:
    db: Database
    api: stubs.CatalogServiceStub
    handlers: Handlers
    audit: OutboxAudit

    async def create(self, name: str, *, key: str = "", location: str = "") -> str:
        metadata = (*BEARER, *((("idempotency-key", key),) if key else ()))
        request = pb.CreateSourceRequest(name=name, location=location or "/srv/acme", format="native")
        return await code_of(self.api.CreateSource(request, metadata=metadata))

    async def list_entries(self) -> list[tuple[str, str]]:
        return [(one.action, one.outcome) for one in await list_reports(self.db, OUTBOX)]


async def code_of(answer: Any) -> str:
    try:
        await answer
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def list_reports(db: Database, outbox: sa.Table) -> list[events_pb2.AuditRecorded]:
    query = sa.select(outbox.c.payload).where(outbox.c.subject.like("audit.%")).order_by(outbox.c.id)
    rows: Sequence[bytes] = await db.read(lambda connection: connection.execute(query).scalars().all())
    return [events_pb2.AuditRecorded.FromString(bytes(row)) for row in rows]


@pytest.fixture(params=["sqlite", "postgresql"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    server = request.getfixturevalue("server") if request.param == "postgresql" else ""
    async with open_empty(tmp_path, METADATA, server=server) as database:
        yield database


@pytest.fixture
async def stack(request: pytest.FixtureRequest, shelf: Database, tmp_path: Path) -> AsyncIterator[Stack]:
    kind: type[OutboxAudit] = getattr(request, "param", OutboxAudit)
    make_service_keys(tmp_path)
    _, publics = read_service_keys(tmp_path, "catalog")

    async def find_key(_: str) -> Ed25519PublicKey | None:
        return None

    async def authenticate(_: str) -> Caller:
        return Caller(ALICE, expires_at=time.time() + 60)

    guard = Guard(TokenVerifier("catalog", publics, find_key, Revocations(), authenticate))
    audit, handlers = kind(shelf, OUTBOX), Handlers(shelf)
    around = ServerContext(
        guard=guard, idempotency=idempotency.IdempotencyStore(shelf, ANSWERS, sealer=Sealer("x")), audit=audit
    )
    server = create_server()
    for service in pb.DESCRIPTOR.services_by_name.values():
        add_service(server, service, handlers=handlers, context=around)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Stack(shelf, stubs.CatalogServiceStub(channel), handlers, audit)
    await server.stop(None)


@pytest.mark.parametrize("stack", [Dying], indirect=True)
async def test_the_entry_is_there_though_the_process_dies_after_the_commit(stack: Stack) -> None:
    assert await stack.create("one") == "OK"
    (entry,) = await list_reports(stack.db, OUTBOX)
    assert (entry.user_id, entry.username, entry.outcome) == (7, "alice", "OK")
    assert (entry.action, entry.target) == ("catalog.CreateSource", "name one")


async def test_an_accepted_write_has_one_entry_and_a_refused_one_has_its_refusal(stack: Stack) -> None:
    assert await stack.create("one") == "OK"
    assert await stack.create("two", location="prepared") == "ALREADY_EXISTS"
    refused = stack.api.RefreshSource(pb.RefreshSourceRequest(source_id=4), metadata=BEARER)
    assert await code_of(refused) == "ALREADY_EXISTS"
    assert await code_of(stack.api.ReloadCatalog(Empty(), metadata=BEARER)) == "OK"  # which changes nothing
    assert await stack.list_entries() == [
        ("catalog.CreateSource", "OK"),
        ("catalog.CreateSource", "ALREADY_EXISTS"),
        ("catalog.RefreshSource", "ALREADY_EXISTS"),
        ("catalog.ReloadCatalog", "OK"),
    ]


async def test_repetitions_of_a_request_share_one_entry(stack: Stack) -> None:
    stack.handlers.refusals.append(UnavailableError("after the commit"))
    assert await stack.create("one", key="k") == "UNAVAILABLE"
    assert await stack.create("one", key="k") == "OK"  # at once, though the first claim was not answered
    assert await stack.create("one", key="k") == "OK"
    reports = await list_reports(stack.db, OUTBOX)
    assert [one.outcome for one in reports] == ["OK", "UNAVAILABLE"]
    await stack.db.write(lambda connection: connection.execute(OUTBOX.delete()))  # published
    assert await stack.create("one", key="k") == "OK"
    assert [one.id for one in await list_reports(stack.db, OUTBOX)] == [reports[0].id]  # auth has it already


async def test_a_claim_that_another_has_taken_over_changes_nothing(shelf: Database) -> None:
    store = idempotency.IdempotencyStore(shelf, ANSWERS, sealer=Sealer("x"))
    slow = await store.claim("a" * 32, b"body")
    late = {"claimed_at": slow.claimed_at - idempotency._RUNNING}
    await shelf.write(lambda connection: connection.execute(ANSWERS.update().values(**late)))
    slow = idempotency.Claim(slow.request_id, slow.first_at, late["claimed_at"])
    second = await store.claim("a" * 32, b"body")
    assert (second.answer, second.audit_id) == (None, slow.audit_id)
    await store.release(slow, has_changed=False)
    await store.answer(slow, idempotency.RecordedResponse(b"late", None, ()))
    await store.answer(second, idempotency.RecordedResponse(b"right", None, ()))
    found = (await store.claim("a" * 32, b"body")).answer
    assert found is not None
    assert found.message == b"right"


async def test_the_change_is_rolled_back_with_an_entry_that_cannot_be_written(stack: Stack) -> None:
    await stack.db.write(OUTBOX.drop)
    assert await stack.create("one") == "INTERNAL"
    count = sa.select(sa.func.count()).select_from(SHELF)
    assert await stack.db.read(lambda connection: connection.execute(count).scalar_one()) == 0


async def test_an_entry_waits_for_a_database_that_does_not_take_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "_RETRY_S", 0.01)
    write, refusals = stack.db.write, [UnavailableError("the disk of the database is full")] * 3

    async def refuse(*args: object, **words: object) -> object:
        if refusals:
            raise refusals.pop()
        return await write(*args, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(stack.db, "write", refuse)
    # Nothing was changed with which the entry could have committed: without its entry it is not accepted.
    assert await code_of(stack.api.ReloadCatalog(Empty(), metadata=BEARER)) == "UNAVAILABLE"
    assert await stack.list_entries() == []
    running = asyncio.create_task(stack.audit.run())
    async with asyncio.timeout(60):
        while not await stack.list_entries():  # noqa: ASYNC110 - the retries decide when
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await stack.list_entries() == [("catalog.ReloadCatalog", "UNAVAILABLE")]


async def test_a_backup_is_recorded_when_the_app_is_locked_and_not_before(db: Database) -> None:
    platform = build_platform(db)
    audit = OutboxAudit(platform.db, backups_outbox)

    async def create(call: Call) -> None:
        audit.expect(call, action="backups.CreateBackup")
        await platform.create(call)

    platform.apps.refusal = AppBusyError("the app is being updated")
    refused, accepted = call_of(), call_of()
    with pytest.raises(AppBusyError):
        await asyncio.create_task(create(refused))
    assert await list_reports(platform.db, backups_outbox) == []
    platform.apps.refusal = None
    await asyncio.create_task(create(accepted))
    (entry,) = await list_reports(platform.db, backups_outbox)
    assert (entry.id, entry.outcome) == (accepted.audit_id, "OK")
