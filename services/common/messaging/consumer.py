"""One message of a consumer: waited for, handled, acknowledged or given back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.core.errors import MessagingUnavailableError
from services.common.core.log import get_logger
from services.common.core.telemetry.tracing import TRACEPARENT, SpanKind, continue_known_trace

log = get_logger()


async def finish_before(epoch: asyncio.Event, work: Awaitable[list[Msg]]) -> list[Msg]:
    """The result of `work`, unless the connection is over before.

    Raises:
        MessagingUnavailableError: it is; what was asked of the old connection is not answered any more.
    """
    task, over = asyncio.ensure_future(work), asyncio.ensure_future(epoch.wait())
    try:
        await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise MessagingUnavailableError("NATS was connected anew")
    finally:
        task.cancel()
        over.cancel()
        await asyncio.gather(task, over, return_exceptions=True)


async def handle_message(
    message: Msg, handler: Callable[[Msg], Awaitable[None]], slots: asyncio.Semaphore
) -> None:
    """Give a message to its handler and say what became of it; frees one of `slots`."""
    traceparent = (message.headers or {}).get(TRACEPARENT, "")
    try:
        with continue_known_trace(traceparent, f"process {message.subject}", kind=SpanKind.CONSUMER):
            await handler(message)
        await message.ack()
    except Exception as error:
        attempts = message.metadata.num_delivered
        log.exception("message_failed", subject=message.subject, attempts=attempts, error=str(error))
        with contextlib.suppress(NatsError, OSError):
            await message.nak(delay=min(2.0**attempts, 60.0))
    finally:
        slots.release()
