"""What NATS keeps for us: JOBS (`jobs.>`, a work queue), EVENTS (`events.>`), AUDIT (`audit.>`), and revocations."""

from __future__ import annotations

from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, RetentionPolicy, StreamConfig
from nats.js.errors import BucketNotFoundError, NotFoundError

REVOCATIONS_BUCKET = "revocations"
REVOKED = "live.auth.revoked"  # `<key> <cutoff>`, as they come into the bucket
_DAY_S = 86_400.0
_MOST_BYTES = 1 << 30
_SAME_MESSAGE_S = 120.0


async def ensure_streams(js: JetStreamContext, *, replicas: int) -> None:
    """Make the streams and the bucket that are not there, each on `replicas` servers; others stay as they are.

    Raises:
        nats.errors.Error, TimeoutError, OSError: NATS does not answer.
    """
    for config in _list_streams(replicas):
        try:
            await js.stream_info(str(config.name))
        except NotFoundError:
            await js.add_stream(config)
    try:
        await js.key_value(REVOCATIONS_BUCKET)
    except BucketNotFoundError:
        await js.create_key_value(
            KeyValueConfig(bucket=REVOCATIONS_BUCKET, ttl=8 * _DAY_S, replicas=replicas)
        )


def _list_streams(replicas: int) -> tuple[StreamConfig, ...]:
    jobs = StreamConfig(
        name="JOBS", subjects=["jobs.>"], retention=RetentionPolicy.WORK_QUEUE, max_age=7 * _DAY_S
    )
    events = StreamConfig(name="EVENTS", subjects=["events.>"], max_age=7 * _DAY_S, max_bytes=_MOST_BYTES)
    audit = StreamConfig(name="AUDIT", subjects=["audit.>"], max_age=30 * _DAY_S, max_bytes=_MOST_BYTES)
    for config in (jobs, events, audit):
        config.num_replicas, config.duplicate_window = replicas, _SAME_MESSAGE_S
    return jobs, events, audit
