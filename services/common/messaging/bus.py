"""NATS: publishing, consuming and the key-value store.

The connection is made in the background and renewed for ever: a service starts and answers without NATS, and works again
within seconds when it returns. What must not be lost is in a database first (`outbox`); NATS wakes.

The streams are in `streams`. Live hints for listeners go over core NATS (`live.>`) and may be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import BucketNotFoundError
from nats.js.kv import KeyValue

from services.common.core.errors import MessagingUnavailableError, UnavailableError
from services.common.core.log import get_logger
from services.common.core.telemetry.tracing import (
    TRACEPARENT,
    SpanKind,
    continue_known_trace,
    current_traceparent,
)
from services.common.messaging.consumer import Consumer
from services.common.messaging.streams import PoisonMessages, ensure_streams, find_inbox_prefix, name_subject

log = get_logger()

_REQUEST_TIMEOUT_S = 5.0  # of a request to JetStream, which elects a new leader within it
_REMEMBERED_S = 15.0  # what waits is tried again sooner
_CLOSE_ATTEMPTS = 10  # to cancel its tasks, 0.5 s apart: one cancellation may be lost
_WATCH_S = 4.0  # until deleted streams are there again; health shows it in between


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
        self._over: dict[str, asyncio.Event] = {}  # by stream: set when its consumers must begin anew
        self._created: dict[str, object] = {}  # when each stream was created
        self.poison: PoisonMessages | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.consumers: list[tuple[str, str]] = []  # stream and durable name of each, for metrics
        self._on_reconnect: list[Callable[[], Awaitable[None]]] = []
        self._refused_at = -_REMEMBERED_S

    def start(self) -> None:
        """Begin to connect, in the background."""
        self.spawn(self._connect())

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

    async def wait_ready(self, stream: str) -> asyncio.Event:
        """See `Connection.wait_ready`."""
        await self._ready.wait()
        return self._over.setdefault(stream, asyncio.Event())

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
                subject = name_subject(message.subject, service=self.name)
                await self.jetstream().publish(
                    subject, message.payload, timeout=_REQUEST_TIMEOUT_S, headers=headers
                )
            except (NatsError, TimeoutError, OSError) as error:
                self._refused_at = time.monotonic()
                raise MessagingUnavailableError(f"NATS did not take {message.subject}") from error
            self._refused_at = -_REMEMBERED_S

    async def hint(self, subject: str, payload: bytes = b"") -> None:
        """Publish a hint to current listeners, at most once."""
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
        self.jetstream()
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

        A message is acknowledged when the handler returns, and delivered again, with growing delay, when it raises;
        `consumer` says which are set aside as poison.
        """
        self.consumers.append((stream, durable))
        consumer = Consumer(
            connection=self,
            stream=stream,
            subject=subject,
            durable=durable,
            handler=handler,
            concurrency=concurrency,
        )
        self.spawn(consumer.run())
        self.spawn(consumer.replay())

    async def key_value(self, bucket: str) -> KeyValue:
        """A key-value bucket.

        Raises:
            MessagingUnavailableError: NATS does not answer, or the bucket was deleted and is not there again yet.
        """
        try:
            return await self.jetstream().key_value(bucket)
        except BucketNotFoundError as error:
            raise MessagingUnavailableError(
                f"NATS has no bucket {bucket}: it was deleted and is being created again"
            ) from error
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

    def jetstream(self) -> JetStreamContext:
        """See `Connection.jetstream`."""
        if self._js is None or not self._client.is_connected:
            raise MessagingUnavailableError("NATS is not connected")
        return self._js

    def spawn(self, work: Awaitable[None]) -> None:
        """See `Connection.spawn`."""
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
                self._created = await ensure_streams(self.jetstream(), replicas=self._replicas)
                self._ready.set()
                await self._connected()
                self.spawn(self._watch_streams())
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
                self._created = await ensure_streams(self.jetstream(), replicas=self._replicas)
            except (NatsError, UnavailableError, TimeoutError, OSError) as error:
                log.warning("nats_streams_wait", error=str(error) or type(error).__name__)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
            else:
                await self._begin_anew(self._created)
                return

    async def _watch_streams(self) -> None:
        """Create streams and buckets again that were deleted, and begin anew with those that another process created."""
        while True:
            await asyncio.sleep(_WATCH_S)
            if not self.is_connected:
                continue
            try:
                created = await ensure_streams(self.jetstream(), replicas=self._replicas)
            except (NatsError, UnavailableError, TimeoutError, OSError) as error:
                log.warning("nats_streams_unknown", error=str(error) or type(error).__name__)
                continue
            if lost := [name for name, moment in created.items() if self._created.get(name) != moment]:
                log.warning("nats_streams_created_again", streams=lost)
                self._created = created
                await self._begin_anew(lost)

    async def _begin_anew(self, streams: Iterable[str]) -> None:
        """Have what was begun with these streams of before begin again."""
        for stream in streams:
            if (over := self._over.pop(stream, None)) is not None:
                over.set()
        self._ready.set()
        await self._connected()

    async def _connected(self) -> None:
        url = self._client.connected_url  # its netloc would have the password
        log.info("nats_connected", server=f"{url.hostname}:{url.port}" if url else "")
        for callback in self._on_reconnect:
            self.spawn(callback())


async def _log_error(error: Exception) -> None:
    log.warning("nats_error", error=str(error) or type(error).__name__)
