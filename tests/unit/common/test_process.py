"""What every server does beside answering."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from services.clients.auth.verification import ask_auth
from services.common.core.clock import now
from services.common.core.config import ServiceSettings, read_settings
from services.common.identity.keys import make_service_keys
from services.common.messaging import outbox, schedule
from services.common.process.lifecycle import Service, serve
from services.common.process.runtime import build_runtime
from services.common.rpc.interceptors import idempotency

METADATA = sa.MetaData()
OUTBOX, INBOX = outbox.define_tables(METADATA)
ANSWERS = idempotency.define_table(METADATA)
SCHEDULES = schedule.define_table(METADATA)


async def test_a_server_forgets_old_answers_and_messages(tmp_path: Path) -> None:
    make_service_keys(tmp_path)
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/p.sqlite3",
        "NATS_URL": "nats://127.0.0.1:1",
        "SERVICE_KEYS_DIR": str(tmp_path),
        "SECRET_KEY": "secret",
        "DEBUG": "1",
    }
    runtime = build_runtime(
        "apps", read_settings(ServiceSettings, environment), tables=METADATA, verify_tokens_by=ask_auth
    )
    METADATA.create_all(runtime.db.engine)
    ages = {"new": timedelta(hours=23), "old": timedelta(hours=25)}
    with runtime.db.engine.begin() as connection:
        for name, age in ages.items():
            times = dict.fromkeys(("claimed_at", "created_at"), now() - age)
            connection.execute(ANSWERS.insert().values(id=name, body_hash="", **times))
            connection.execute(INBOX.insert().values(message_id=name, received_at=now() - 30 * age))
        for name in ("prune_idempotency", "prune_inbox"):
            connection.execute(SCHEDULES.insert().values(name=name, next_run_at=now()))
    server = asyncio.create_task(serve(Service(runtime=runtime)))

    def list_left(connection: sa.Connection) -> tuple[list[str], list[str]]:
        answers, messages = sa.select(ANSWERS.c.id), sa.select(INBOX.c.message_id)
        return list(connection.execute(answers).scalars()), list(connection.execute(messages).scalars())

    try:
        async with asyncio.timeout(60):
            while await runtime.db.read(list_left) != (["new"], ["new"]):  # noqa: ASYNC110 - the server decides when
                await asyncio.sleep(0.02)
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
