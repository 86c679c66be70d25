"""`python -m services.<name> poison-messages [list | replay | drop] [ID...]`: messages that were set aside."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from services.common.core.config import ServiceSettings
from services.common.core.errors import DomainError
from services.common.db.database import Database, create_engine
from services.common.messaging.poison import PoisonMessages

NAME = "poison-messages"
_USAGE = f"usage: {NAME} [list | replay | drop] [ID...]; without an ID, replay and drop concern all of them\n"


async def run_poison_command(service: str, settings: ServiceSettings, arguments: Sequence[str]) -> int:
    """Run the command and return the exit status: 2 where it is wrong, 1 where the database does not answer."""
    action, *words = arguments or ["list"]
    if action not in {"list", "replay", "drop"} or not all(word.isdigit() for word in words):
        sys.stderr.write(_USAGE)
        return 2
    ids = [int(word) for word in words]
    db = Database(create_engine(settings.database_url, service=service))
    try:
        messages = PoisonMessages(db)
        if action == "list":
            await _print(messages, ids)
        elif action == "replay":
            count = await messages.request_replay(ids)
            sys.stdout.write(
                f"{count} messages of {service} are handled again within seconds, where it runs\n"
            )
        else:
            sys.stdout.write(f"{await messages.drop(ids)} messages of {service} are forgotten\n")
    except DomainError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    finally:
        await db.close()
    return 0


async def _print(messages: PoisonMessages, ids: Sequence[int]) -> None:
    found = [one for one in await messages.list_all() if not ids or one.id in ids]
    for one in found:
        sys.stdout.write(
            f"{one.id}  {one.set_aside_at:%Y-%m-%dT%H:%M:%SZ}  {one.subject}  for {one.consumer}"
            f"  {len(one.payload)} bytes  after {one.attempts} attempts: {one.error!r}\n"
        )
    if not found:
        sys.stdout.write("there are none\n")
