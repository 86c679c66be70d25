"""Measures of NATS as a process sees it with its own user: its consumers, and the streams that all share."""

from __future__ import annotations

from nats.errors import Error as NatsError

from services.common.core.errors import UnavailableError
from services.common.core.telemetry.states import ConsumerMeasure, StreamMeasure
from services.common.messaging.bus import Bus
from services.common.messaging.streams import AUDIT, EVENTS, JOBS


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
