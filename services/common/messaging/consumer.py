"""A durable consumer: fetches messages one by one, has them handled, acknowledges them or gives them back.

JetStream delivers a message again until it is acknowledged, however often. A failure that passes by itself (a database
or a service that does not answer) is waited for without a limit; a message that nothing will ever process is set aside
(`PoisonMessages`), so that no message is lost and none is tried for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from services.common.core.errors import MessagingUnavailableError, UnavailableError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import ConsumerMeasure, StreamMeasure
from services.common.core.telemetry.tracing import TRACEPARENT, SpanKind, continue_known_trace
from services.common.messaging.streams import (
    AUDIT,
    EVENTS,
    JOBS,
    MESSAGE_ID,
    PoisonMessageError,
    PoisonMessages,
    ReplayedMessage,
)

if TYPE_CHECKING:  # it imports this module
    from services.common.messaging.bus import Bus

log = get_logger()

Handler = Callable[[Msg], Awaitable[None]]

_NO_LIMIT = -1
# A message goes to another consumer after that, since the one that has it is taken for dead.
_ACK_WAIT_S = 30.0
_MOST_PENDING = 1000  # messages that are neither acknowledged nor given up, over all processes of a consumer
_MOST_FAILURES = 20  # of a handler that breaks, about 15 minutes with the delays below
_LONGEST_DELAY_S = 60.0  # between two deliveries of a message that fails: a repair shows within a minute
# A request to a consumer that was deleted ends so; the next one fails, and the consumer is made again.
_FETCH_S = 5.0
_CONSUME_AGAIN_S = 1.0  # after a failed request, so that a NATS that is down is not flooded
_REPLAY_S = 5.0  # between two queries for poison messages that an operator requested to replay


class Connection(Protocol):
    """Connection as a consumer needs it."""

    poison: PoisonMessages | None

    async def wait_ready(self, stream: str) -> asyncio.Event:
        """Wait until the streams are there; returns the event that is set when the connection or `stream` is over."""

    def jetstream(self) -> JetStreamContext:
        """JetStream.

        Raises:
            MessagingUnavailableError: not connected.
        """

    def spawn(self, work: Awaitable[None]) -> None:
        """Run `work` beside, until the bus is closed."""


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """Gives every message of a durable consumer to `handler`, `concurrency` at a time."""

    connection: Connection
    stream: str
    subject: str
    durable: str
    handler: Handler
    concurrency: int

    async def run(self) -> None:
        """Consume, for ever; the consumer is made again where it was deleted."""
        slots = asyncio.Semaphore(self.concurrency)
        while True:
            over = await self.connection.wait_ready(self.stream)
            try:
                async for message in self._fetch(over):
                    await slots.acquire()
                    self.connection.spawn(self._handle(message, slots))
            except (NatsError, UnavailableError, TimeoutError, OSError) as error:
                log.warning(
                    "nats_consumer_interrupted",
                    durable=self.durable,
                    error=str(error) or type(error).__name__,
                )
            except Exception:  # whatever it is, the consumer goes on
                log.exception("nats_consumer_broken", durable=self.durable)
            await asyncio.sleep(_CONSUME_AGAIN_S)

    async def replay(self) -> None:
        """Handle again, for ever, the poison messages whose replay was requested."""
        while True:
            await asyncio.sleep(_REPLAY_S)
            poison = self.connection.poison
            if poison is None:
                return
            try:
                for message in await poison.list_replays(self.durable):
                    words = {"subject": message.subject, "durable": self.durable, "poison_id": message.id}
                    try:
                        await self.handler(ReplayedMessage(message))
                    except UnavailableError:
                        raise
                    except Exception as error:
                        log.exception("poison_message_failed_again", **words)
                        await poison.fail_replay(message, describe(error))
                    else:
                        await poison.drop([message.id])
                        log.info("poison_message_replayed", **words)
            except UnavailableError as error:
                log.warning("poison_messages_wait", durable=self.durable, error=error.message)

    async def _fetch(self, over: asyncio.Event) -> AsyncIterator[Msg]:
        js = self.connection.jetstream()
        await self._ensure(js)
        subscription = await js.pull_subscribe_bind(durable=self.durable, stream=self.stream)
        try:
            while True:
                try:  # one at a time: a fetch of several keeps the first until others come
                    messages = await finish_before(over, subscription.fetch(1, timeout=_FETCH_S))
                except TimeoutError:
                    continue
                for message in messages:
                    yield message
        finally:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _ensure(self, js: JetStreamContext) -> None:
        """Make the consumer, or lift the limit that releases before set on its deliveries."""
        try:
            known = (await js.consumer_info(self.stream, self.durable)).config
        except NotFoundError:
            known = ConsumerConfig(
                name=self.durable,
                durable_name=self.durable,
                filter_subject=self.subject,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT_S,
                max_ack_pending=_MOST_PENDING,
            )
        if known.max_deliver != _NO_LIMIT:
            await js.add_consumer(self.stream, replace(known, name=self.durable, max_deliver=_NO_LIMIT))

    async def _handle(self, message: Msg, slots: asyncio.Semaphore) -> None:
        """Give a message to its handler and say what became of it; frees one of `slots`."""
        traceparent = (message.headers or {}).get(TRACEPARENT, "")
        try:
            with continue_known_trace(traceparent, f"process {message.subject}", kind=SpanKind.CONSUMER):
                await self.handler(message)
            await message.ack()
        except (UnavailableError, NatsError, TimeoutError, OSError) as error:
            log.warning(
                "message_waits",
                subject=message.subject,
                attempts=message.metadata.num_delivered,
                error=describe(error),
            )
            await _give_back(message)
        except Exception as error:
            attempts = message.metadata.num_delivered
            log.exception("message_failed", subject=message.subject, attempts=attempts, error=describe(error))
            is_poison = isinstance(error, PoisonMessageError | DecodeError) or attempts >= _MOST_FAILURES
            if not (is_poison and await self._set_aside(message, error)):
                await _give_back(message)
        finally:
            slots.release()

    async def _set_aside(self, message: Msg, error: Exception) -> bool:
        """Move a message into the database; False when that is not possible now."""
        poison = self.connection.poison
        if poison is None:
            return False
        position = message.metadata.sequence.stream
        message_id = (message.headers or {}).get(MESSAGE_ID) or f"{self.stream}-{position}"
        attempts = message.metadata.num_delivered
        words = {"subject": message.subject, "durable": self.durable, "message_id": message_id[:150]}
        try:
            is_stored = await poison.add(
                self.durable, message, message_id=message_id, error=describe(error), attempts=attempts
            )
            await message.term()
        except (UnavailableError, NatsError, OSError) as failure:
            log.warning("message_not_set_aside", error=describe(failure), **words)
            return False
        log.error(
            "message_set_aside" if is_stored else "poison_message_dropped",
            attempts=attempts,
            error=describe(error),
            size=len(message.data),
            **words,
        )
        return True


async def _give_back(message: Msg) -> None:
    """Have a message delivered again, later with every attempt."""
    attempts = min(message.metadata.num_delivered, 6)
    with contextlib.suppress(NatsError, OSError):
        await message.nak(delay=min(2.0**attempts, _LONGEST_DELAY_S))


def describe(error: BaseException) -> str:
    """Return the text of an error, or its name where it has none."""
    return str(error) or type(error).__name__


async def finish_before(over: asyncio.Event, work: Awaitable[list[Msg]]) -> list[Msg]:
    """The result of `work`, unless the connection is over before.

    Raises:
        MessagingUnavailableError: it is; requests of the old connection get no answer any more.
    """
    task, ending = asyncio.ensure_future(work), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise MessagingUnavailableError("NATS was connected anew, or its streams were made again")
    finally:
        task.cancel()
        ending.cancel()
        await asyncio.gather(task, ending, return_exceptions=True)


async def measure_messaging(bus: Bus) -> tuple[list[ConsumerMeasure], list[StreamMeasure]]:
    """Measure the process's consumers and the streams; nothing while NATS does not answer.

    Streams are measured by the processes that have consumers.
    """
    consumers, streams = [], []
    try:
        js = bus.jetstream()
        for stream, durable in bus.consumers:
            found = await js.consumer_info(stream, durable)
            consumers.append(
                ConsumerMeasure(
                    name=durable, pending=found.num_pending or 0, unacknowledged=found.num_ack_pending or 0
                )
            )
        for name in (JOBS, EVENTS, AUDIT) if bus.consumers else ():
            state = (await js.stream_info(name)).state
            streams.append(StreamMeasure(name=name, messages=state.messages, size_bytes=state.bytes))
    except (NatsError, UnavailableError, TimeoutError, OSError):
        return consumers, streams  # proximity_nats_connected says so
    return consumers, streams
