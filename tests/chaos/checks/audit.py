"""Every accepted write has exactly one audit entry."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.history import METHODS, Exchange

_ACTIONS = {
    "start": "apps.PerformAppAction",
    "stop": "apps.PerformAppAction",
    "restart": "apps.PerformAppAction",
    "update": "apps.UpdateApp",
    "delete": "apps.DeleteApp",
    "cancel": "apps.CancelOperation",
    "delete_backup": "backups.DeleteBackup",
    "test_backup": "backups.TestBackup",
    "protect": "backups.UpdateBackup",
    "schedule": "backups.CreateBackupPolicy",
    "reschedule": "backups.UpdateBackupPolicy",
}


def check_audit(evidence: Evidence) -> Iterator[str]:
    """Say which accepted writes have no entry, or more than one."""
    yield from _check_keyed(evidence)
    yield from _check_others(evidence)


def _check_keyed(evidence: Evidence) -> Iterator[str]:
    """Repetitions of a request share one entry, which has the request's id in its own."""
    entries = Counter(
        str(one["message_id"]).split("-")[1]
        for one in evidence.audit
        if one["outcome"] == "OK" and str(one["message_id"]).startswith("audit-")
    )
    sent: dict[str, list[Exchange]] = defaultdict(list)
    for one in evidence.history:
        if one.operation_id:
            sent[one.operation_id].append(one)
    for operation_id, exchanges in sent.items():
        count, is_accepted = entries[operation_id], any(one.is_accepted for one in exchanges)
        what = f"{exchanges[0].action} {exchanges[0].key} of user {exchanges[0].user_id}"
        if is_accepted and count != 1:
            yield f"{what} was accepted and has {count} audit entries"
        elif count > 1:
            yield f"{what} has {count} audit entries"


def _check_others(evidence: Evidence) -> Iterator[str]:
    """Writes without a key: as many entries as were accepted, and as may have been where no answer came."""
    entries = Counter(
        (one["user_id"], str(one["action"])) for one in evidence.audit if one["outcome"] == "OK"
    )
    accepted: Counter[tuple[int, str]] = Counter()
    uncertain: Counter[tuple[int, str]] = Counter()
    for one in evidence.history:
        if one.method == "GET" or one.action in METHODS or one.action not in _ACTIONS:
            continue
        key = one.user_id, _ACTIONS[one.action]
        if one.is_accepted:
            accepted[key] += 1
        elif not one.is_refused:
            uncertain[key] += 1
    for (user_id, action), count in accepted.items():
        found = entries[user_id, action]
        if not count <= found <= count + uncertain[user_id, action]:
            yield (
                f"{action} of user {user_id} was accepted {count} times, perhaps {uncertain[user_id, action]} "
                f"more, and has {found} audit entries"
            )
