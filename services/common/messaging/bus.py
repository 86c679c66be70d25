"""NATS: publishing, consuming and the key-value store.

The connection is made in the background and kept for ever: a service starts and answers without NATS, and works again
within seconds when it returns. What must not be lost is in a database first (`outbox`); NATS wakes.

The streams are in `streams`. Live hints for listeners go over core NATS (`live.>`) and may be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.kv import KeyValue

from services.common.core.errors import MessagingUnavailableError, UnavailableError
from services.common.core.log import get_logger
from services.common.core.telemetry.tracing import (
    TRACEPARENT,
    SpanKind,
    continue_known_trace,
    current_traceparent,
)
from services.common.messaging.consumer import finish_before, handle_message
from services.common.messaging.streams import ensure_streams, find_inbox_prefix

log = get_logger()

_REQUEST_TIMEOUT_S = 5.0
_REMEMBERED_S = 15.0  # what waits is tried again sooner
_MAX_DELIVER = 20
_CLOSE_ATTEMPTS = 10
_FETCH_S = 30.0
_CONSUME_AGAIN_S = 1.0


@dataclass(frozen=True)
class Message:
    """A message to publish: what `outbox` stores and `Bus.publish` sends."""

    subject: str
    payload: bytes
    message_id: str
    traceparent: str = ""  # of the span in which it was written down


class Bus:
    """The connection to NATS.

    Args:
        url: servers, comma-separated.
        name: of the connection, seen in NATS's monitoring.
        replicas: of the streams, when this process is the first to make them.
    """

    def __init__(self, url: str, *, name: str, replicas: int = 1) -> None:
        self._servers = [part.strip() for part in url.split(",") if part.strip()]
        self.name = name
        self._replicas = replicas
        self._client = Client()
        self._js: JetStreamContext | None = None
        self._ready = asyncio.Event()
        self._epoch = asyncio.Event()  # set when this connection is over and consumers must begin anew
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_reconnect: list[Callable[[], Awaitable[None]]] = []
        self._refused_at = -_REMEMBERED_S

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._spawn(self._connect())

    def on_connect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call `callback` after every connection and reconnection."""
        self._on_reconnect.append(callback)

    @property
    def is_connected(self) -> bool:
        """Whether NATS answers now, as far as is known."""
        return self._ready.is_set() and self._client.is_connected

    @property
    def is_refusing(self) -> bool:
        """Whether NATS answers but did not store a message in the last seconds: its disk may be full."""
        return self.is_connected and time.monotonic() - self._refused_at < _REMEMBERED_S

    async def wait_connected(self, *, timeout: float) -> bool:
        """Wait until the streams are there; False when that takes longer than `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._ready.wait()
        return self.is_connected

    async def publish(self, message: Message) -> None:
        """Publish to a stream and wait until it is stored. The same message_id within 2 minutes is stored once.

        Raises:
            MessagingUnavailableError: it is not known to be stored.
        """
        with continue_known_trace(message.traceparent, f"publish {message.subject}", kind=SpanKind.PRODUCER):
            headers = {"Nats-Msg-Id": message.message_id}
            if traceparent := current_traceparent():
                headers[TRACEPARENT] = traceparent
            try:
                await self._jetstream().publish(
                    message.subject, message.payload, timeout=_REQUEST_TIMEOUT_S, headers=headers
                )
            except (NatsError, TimeoutError, OSError) as error:
                self._refused_at = time.monotonic()
                raise MessagingUnavailableError(f"NATS did not take {message.subject}") from error
            self._refused_at = -_REMEMBERED_S

    async def hint(self, subject: str, payload: bytes = b"") -> None:
        """Tell whoever listens now; nobody minds when it is lost."""
        if self.is_connected:
            with contextlib.suppress(NatsError, OSError):
                await self._client.publish(subject, payload)

    async def listen(
        self, subject: str, callback: Callable[[Msg], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Receive hints on `subject` (wildcards allowed); returns the function that stops it.

        Raises:
            MessagingUnavailableError: not connected.
        """
        self._jetstream()
        subscription = await self._client.subscribe(subject, cb=callback)
        return subscription.unsubscribe

    def consume(
        self,
        stream: str,
        subject: str,
        *,
        durable: str,
        handler: Callable[[Msg], Awaitable[None]],
        concurrency: int = 8,
    ) -> None:
        """Give every message of a durable consumer to `handler`, for ever.

        A message is acknowledged when the handler returns, and delivered again, with growing delay and at most
        20 times, when it raises.
        """
        self._spawn(self._consume(stream, subject, durable=durable, handler=handler, concurrency=concurrency))

    async def key_value(self, bucket: str) -> KeyValue:
        """A key-value bucket.

        Raises:
            MessagingUnavailableError: NATS does not answer.
        """
        try:
            return await self._jetstream().key_value(bucket)
        except (NatsError, TimeoutError, OSError) as error:
            raise MessagingUnavailableError(f"NATS does not answer for bucket {bucket}") from error

    async def close(self) -> None:
        """Stop consuming and close the connection."""
        for _ in range(_CLOSE_ATTEMPTS):  # Python 3.11's wait_for loses a cancellation that meets a result
            for task in self._tasks:
                task.cancel()
            if not self._tasks or not (await asyncio.wait(self._tasks, timeout=0.5))[1]:
                break
        if self._js is None:  # never connected
            return
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await asyncio.wait_for(self._client.close(), 2)

    def _jetstream(self) -> JetStreamContext:
        if self._js is None or not self._client.is_connected:
            raise MessagingUnavailableError("NATS is not connected")
        return self._js

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("nats_task_failed", exc_info=error)

    async def _connect(self) -> None:
        delay = 0.1
        while not self._ready.is_set():
            try:
                if self._js is None or self._client.is_closed:  # else it comes back by itself
                    self._client = await nats.connect(
                        servers=self._servers,
                        name=self.name,
                        inbox_prefix=find_inbox_prefix(self._servers, self.name),
                        connect_timeout=2,
                        max_reconnect_attempts=-1,
                        reconnect_time_wait=0.5,
                        ping_interval=5,
                        max_outstanding_pings=2,
                        error_cb=_log_error,
                        reconnected_cb=self._reconnected,
                        allow_reconnect=True,
                    )
                    self._js = self._client.jetstream(timeout=_REQUEST_TIMEOUT_S)
                await ensure_streams(self._jetstream(), replicas=self._replicas)
                self._ready.set()
                await self._connected()
            except (NatsError, UnavailableError, TimeoutError, OSError) as error:
                log.warning("nats_unavailable", error=str(error) or type(error).__name__)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)

    async def _reconnected(self) -> None:
        """The server may be another one, or have come back empty: what must be there is made again."""
        self._ready.clear()
        delay = 0.1
        while self._client.is_connected:
            try:
                await ensure_streams(self._jetstream(), replicas=self._replicas)
            except (NatsError, UnavailableError, TimeoutError, OSError) as error:
                log.warning("nats_streams_wait", error=str(error) or type(error).__name__)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
            else:
                over, self._epoch = self._epoch, asyncio.Event()
                over.set()
                self._ready.set()
                await self._connected()
                return

    async def _connected(self) -> None:
        url = self._client.connected_url  # its netloc would have the password
        log.info("nats_connected", server=f"{url.hostname}:{url.port}" if url else "")
        for callback in self._on_reconnect:
            self._spawn(callback())

    async def _consume(
        self,
        stream: str,
        subject: str,
        *,
        durable: str,
        handler: Callable[[Msg], Awaitable[None]],
        concurrency: int,
    ) -> None:
        slots = asyncio.Semaphore(concurrency)
        while True:
            await self._ready.wait()
            try:
                async for message in self._fetch(stream, subject, durable=durable):
                    await slots.acquire()
                    self._spawn(handle_message(message, handler, slots))
            except (NatsError, UnavailableError, TimeoutError, OSError) as error:
                log.warning(
                    "nats_consumer_interrupted", durable=durable, error=str(error) or type(error).__name__
                )
            except Exception:  # whatever it is, who consumes for ever goes on
                log.exception("nats_consumer_broken", durable=durable)
            await asyncio.sleep(_CONSUME_AGAIN_S)

    async def _fetch(self, stream: str, subject: str, *, durable: str) -> AsyncIterator[Msg]:
        js, epoch = self._jetstream(), self._epoch
        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_deliver=_MAX_DELIVER, max_ack_pending=1000
        )
        subscription = await js.pull_subscribe(subject, durable=durable, stream=stream, config=config)
        try:
            while True:
                try:  # one at a time: a fetch of several keeps the first until others come
                    messages = await finish_before(
                        epoch, subscription.fetch(1, timeout=_FETCH_S, heartbeat=5)
                    )
                except TimeoutError:
                    continue
                for message in messages:
                    yield message
        finally:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()


async def _log_error(error: Exception) -> None:
    log.warning("nats_error", error=str(error) or type(error).__name__)
