"""Policies remove their own backups alone, and never the last good one of an app."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.chaos.checks.operations import is_scheduled
from tests.chaos.evidence import Evidence

_DELETED = re.compile(r"/backups/(\d+)$")


def check_policies(evidence: Evidence) -> Iterator[str]:
    """Say which backups were removed that nobody's request and no policy may remove, and which apps have none left."""
    requested = {
        int(found.group(1))
        for one in evidence.history
        if one.action == "delete_backup" and not one.is_refused and (found := _DELETED.search(one.path))
    }
    scheduled = {one["id"] for one in evidence.operations if is_scheduled(evidence, one)}
    removed: set[str] = set()  # by request, from their app and operation
    for one in evidence.backup_operations:
        if one["kind"] != "delete_backup" or one["status"] != "succeeded":
            continue
        number, mark = int(one["subject"].partition("/")[2]), str(one["state"]["mark"])
        if number in requested:
            removed.add(mark)
        elif mark not in scheduled:
            yield f"backup {number}, which no policy made, was removed though nobody requested it"
    yield from _check_last(evidence, scheduled - removed)


def _check_last(evidence: Evidence, scheduled: set[str]) -> Iterator[str]:
    existing = {one["id"] for one in evidence.apps}
    made = {
        one["subject"]
        for one in evidence.backup_operations
        if one["kind"] == "create_backup" and one["status"] == "succeeded" and one["id"] in scheduled
    }
    left = {one["app_id"] for one in evidence.backups if one["policy_id"] and one["status"] == "completed"}
    for app_id in sorted((made & existing) - left):
        yield f"the policy made backups of {app_id} and has left none"
