"""Users of NATS: one for each service and worker, with the subjects that it may publish and subscribe.

A service publishes its own events and jobs and reports its own calls for the audit log; only auth revokes; a consumer
is read by the process that owns it alone; replies come to an inbox of the user's own. No process deletes, purges or
changes a stream. `operator` may do everything, for `nats` on the command line; `system` asks the server how it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.common.messaging.streams import AUDIT, EVENTS, JOBS, REVOCATIONS_BUCKET, REVOKED
from services.registry import PROCESSES

OPERATOR = "operator"
SYSTEM = "system"
USERS = (*PROCESSES, OPERATOR, SYSTEM)
# The durable consumers of each process, as its `Bus.consume` names them.
CONSUMERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "auth": ((AUDIT, "auth-audit"), (AUDIT, "auth-audit-of-services")),
    "apps-worker": (
        (JOBS, "apps-run"),
        (EVENTS, "apps-user-deactivated"),
        (EVENTS, "apps-backup-changed"),
        (EVENTS, "apps-backup-failed"),
        (EVENTS, "apps-backup-broken"),
        (EVENTS, "apps-backup-overdue"),
        (EVENTS, "apps-restore-test-failed"),
    ),
    "backups-worker": (
        (JOBS, "backups-run"),
        (EVENTS, "backups-app-removed"),
        (EVENTS, "backups-user-deactivated"),
    ),
    "catalog-worker": ((JOBS, "catalog-fetch"),),
}
# What a process listens to besides, without a consumer: `Bus.listen`.
_HEARS: Mapping[str, tuple[str, ...]] = {
    "apps": ("live.apps.*", "events.catalog.v1.revision_published"),
    "apps-worker": ("live.apps.*", "events.catalog.v1.revision_published"),
    "catalog": ("events.catalog.v1.revision_published",),
    "catalog-worker": ("events.catalog.v1.revision_published",),
}
_BUCKET_STREAM = f"KV_{REVOCATIONS_BUCKET}"
_STREAMS = (JOBS, EVENTS, AUDIT, _BUCKET_STREAM)


@dataclass(frozen=True)
class Permissions:
    """Subjects that a user may publish and subscribe."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def find_permissions(process: str) -> Permissions:
    """Return the permissions of a service (`apps`) or a worker (`apps-worker`)."""
    service = process.removesuffix("-worker")
    publish = [
        f"events.{service}.>",
        f"jobs.{service}.>",
        f"live.{service}.>",
        "$JS.API.INFO",
        *(f"$JS.API.STREAM.{verb}.{stream}" for stream in _STREAMS for verb in ("INFO", "CREATE")),
        *_read_bucket(),
    ]
    if service == "auth":
        publish.append(f"$KV.{REVOCATIONS_BUCKET}.>")
    else:
        publish.append(f"audit.v1.recorded.{service}")
    for stream, durable in CONSUMERS.get(process, ()):
        publish += _use_consumer(stream, durable)
    return Permissions(
        publish=tuple(publish),
        subscribe=(f"_INBOX.{process}.>", REVOKED, *_HEARS.get(process, ())),
    )


def _read_bucket() -> Iterable[str]:
    """Watching the revocations takes a consumer without a name, which its client removes."""
    yield f"$JS.API.CONSUMER.CREATE.{_BUCKET_STREAM}"
    yield f"$JS.API.CONSUMER.CREATE.{_BUCKET_STREAM}.>"
    yield f"$JS.API.CONSUMER.INFO.{_BUCKET_STREAM}.*"
    yield f"$JS.API.CONSUMER.DELETE.{_BUCKET_STREAM}.*"
    yield f"$JS.FC.{_BUCKET_STREAM}.>"
    yield f"$JS.API.DIRECT.GET.{_BUCKET_STREAM}.>"
    yield f"$JS.API.STREAM.MSG.GET.{_BUCKET_STREAM}"


def _use_consumer(stream: str, durable: str) -> Iterable[str]:
    yield f"$JS.API.CONSUMER.INFO.{stream}.{durable}"
    yield f"$JS.API.CONSUMER.CREATE.{stream}.{durable}"
    yield f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.>"
    yield f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}"
    yield f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
    yield f"$JS.ACK.{stream}.{durable}.>"
    yield f"$JS.ACK.*.*.{stream}.{durable}.>"  # as servers with domains write it


def render_users(passwords: Mapping[str, str]) -> str:
    """Return the part of NATS' configuration that admits these users alone.

    The users share the global account, whose streams a server without users had too.

    Raises:
        KeyError: a user has no password.
    """
    system = {"user": SYSTEM, "password": passwords[SYSTEM]}
    users = [_render_user(name, passwords[name]) for name in (*PROCESSES, OPERATOR)]
    lines = ",\n    ".join(json.dumps(user) for user in users)
    return (
        f"accounts {{ $SYS {{ users: [{json.dumps(system)}] }} }}\n"
        f"authorization {{\n  users: [\n    {lines}\n  ]\n}}\n"
    )


def _render_user(name: str, password: str) -> dict[str, object]:
    user: dict[str, object] = {"user": name, "password": password}
    if name in PROCESSES:
        allowed = find_permissions(name)
        user["permissions"] = {
            "publish": {"allow": list(allowed.publish)},
            "subscribe": {"allow": list(allowed.subscribe)},
        }
    return user
