"""Deployments of users whose account is deactivated or removed."""

from __future__ import annotations

import sqlalchemy as sa

from services.apps.store.changes import operation_queue
from services.apps.store.tables import apps, operation_tables

ops = operation_tables.operations
# Kinds that make an app which nobody would own; what changes or removes an app that is there goes on.
_DEPLOYMENTS = ("deploy_app", "clone_app", "restore_beside", "import_exported_app")


def stop_deployments(connection: sa.Connection, owner_id: int, *, only_queued: bool) -> int:
    """Cancel the unfinished deployments of a user, or those that have not begun, and return how many there are."""
    query = (
        sa.select(ops.c.id)
        .join(apps, apps.c.id == ops.c.subject)
        .where(apps.c.owner_id == owner_id, ops.c.kind.in_(_DEPLOYMENTS), ops.c.finished_at.is_(None))
    )
    # With a new owner, deployments that have begun go on: the new owner gets the app that was being made.
    if only_queued:
        query = query.where(ops.c.started_at.is_(None))
    stopped = 0
    for operation_id in connection.execute(query).scalars().all():
        stopped += operation_queue.request_cancel(connection, operation_id)
    return stopped
