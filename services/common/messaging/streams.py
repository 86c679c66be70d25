"""Streams and buckets in NATS: JOBS (`jobs.>`, a work queue), EVENTS (`events.>`), AUDIT (`audit.>`), and revocations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

JOBS, EVENTS, AUDIT = "JOBS", "EVENTS", "AUDIT"
AUDIT_RECORDED = "audit.v1.recorded"  # published as `audit.v1.recorded.<service>`
REVOCATIONS_BUCKET = "revocations"
REVOKED = "live.auth.revoked"  # `<key> <cutoff>`, as they come into the bucket
_SUBJECT_PART = re.compile(r"[A-Za-z0-9_-]+")
_DAY_S = 86_400.0  # seconds
_MOST_BYTES = 1 << 30  # of a stream: a full disk would stop all of them
_SAME_MESSAGE_S = 120.0  # in which NATS discards a repeated message id; a relay repeats within seconds


def find_inbox_prefix(servers: Sequence[str], name: str) -> str:
    """Return the prefix of the subjects on which replies come: the user's own, so that no other user reads them.

    It is below `_INBOX`, which NATS' own examples of permissions allow.

    Args:
        servers: URLs; the first one with a user counts.
        name: of the process, where no URL has a user that can be a part of a subject.
    """
    users = (urlsplit(server if "//" in server else f"nats://{server}").username for server in servers)
    user = next((user for user in users if user and _SUBJECT_PART.fullmatch(user)), name)
    return f"_INBOX.{user}"


def name_subject(subject: str, *, service: str) -> str:
    """Return where a service publishes a message: reports for the audit log say whose they are."""
    return f"{AUDIT_RECORDED}.{service}" if subject == AUDIT_RECORDED else subject


async def ensure_streams(js: JetStreamContext, *, replicas: int) -> dict[str, object]:
    """Make the streams and the bucket that are not there, each on `replicas` servers; others stay as they are.

    Returns:
        When each was created, by name: another time for a stream that was deleted meanwhile.

    Raises:
        nats.errors.Error, TimeoutError, OSError: NATS does not answer.
    """
    created: dict[str, object] = {}
    for config in _list_streams(replicas):
        name = str(config.name)
        try:
            found = await js.stream_info(name)
        except NotFoundError:
            found = await js.add_stream(config)
        created[name] = found.created
    bucket = f"KV_{REVOCATIONS_BUCKET}"  # the stream in which NATS has it
    try:
        created[bucket] = (await js.stream_info(bucket)).created
    except NotFoundError:
        await js.create_key_value(
            KeyValueConfig(bucket=REVOCATIONS_BUCKET, ttl=8 * _DAY_S, replicas=replicas)
        )
        created[bucket] = (await js.stream_info(bucket)).created
    return created


def _list_streams(replicas: int) -> tuple[StreamConfig, ...]:
    jobs = StreamConfig(
        name=JOBS, subjects=["jobs.>"], retention=RetentionPolicy.WORK_QUEUE, max_age=7 * _DAY_S
    )
    events = StreamConfig(name=EVENTS, subjects=["events.>"], max_age=7 * _DAY_S, max_bytes=_MOST_BYTES)
    audit = StreamConfig(name=AUDIT, subjects=["audit.>"], max_age=30 * _DAY_S, max_bytes=_MOST_BYTES)
    for config in (jobs, events, audit):
        config.num_replicas, config.duplicate_window = replicas, _SAME_MESSAGE_S
    return jobs, events, audit
