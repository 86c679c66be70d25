"""The summary as a message."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.quotas import UsedResources
from services.apps.domain.summary import Summary
from services.clients.auth.values import Quota
from services.clients.inventory.values import NodeCapacity
from services.common.identity.tokens import User
from services.common.rpc.responses.rendered import render_time

_MOST_IDS = 100  # of apps without a backup: more than a page shows


def render_summary(summary: Summary) -> pb.Summary:
    """Render a summary; parts that are not known are left out, and named."""
    parts = {"backups": summary.without_backup, "inventory": summary.nodes}
    without = summary.without_backup
    return pb.Summary(
        apps_total=sum(summary.apps_by_status.values()),
        apps_by_status=summary.apps_by_status,
        updates_available=summary.updates,
        operations_running=summary.operations.running,
        operations_failed=summary.operations.failed,
        apps_without_backup=None if without is None else len(without),
        app_ids_without_backup=(without or ())[:_MOST_IDS],
        nodes=[_render_node(node) for node in summary.nodes or ()],
        unavailable=[name for name, part in parts.items() if part is None],
    )


def _render_node(node: NodeCapacity) -> pb.NodeCapacity:
    return pb.NodeCapacity(**{**vars(node), "last_updated": render_time(node.last_updated)})


def parse_user(request: pb.GetUsageRequest, caller: User) -> int:
    """Parse whose usage is requested: users see their own alone."""
    return request.user_id if request.HasField("user_id") and caller.is_admin else caller.id


def render_usage(user_id: int, used: UsedResources, *, quota: Quota) -> pb.Usage:
    """Render what the apps of a user take together, and may take."""
    return pb.Usage(user_id=user_id, used=pb.UsageAmounts(**vars(used)), quota=pb.UsageLimits(**vars(quota)))
