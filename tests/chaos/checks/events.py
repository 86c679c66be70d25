"""Every event has had its effect, and no message was set aside."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence import Evidence


def check_events(evidence: Evidence) -> Iterator[str]:
    """Say which events were lost."""
    apps = {app["id"] for app in evidence.apps}
    for backup in evidence.backups:
        if backup["app_id"] not in apps and backup.get("app_removed_at") is None:
            yield f"backup {backup['id']} was never told that its app {backup['app_id']} is gone"
    for service, count in evidence.poison.items():
        if count:
            yield f"{service} has set {count} messages aside"
