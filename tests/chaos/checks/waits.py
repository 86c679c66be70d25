"""No operation fails for what passes by itself: silent hosts, locks and copies that print nothing are waited for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.chaos.evidence import Evidence

_PASSING = re.compile(
    r"does not answer|gave no answer|no answer for|connection refused|timed out"
    r"|is locked|can't lock file|got timeout|(?:said|printed) nothing|no quorum|took longer than",
    re.IGNORECASE,
)


def check_waits(evidence: Evidence) -> Iterator[str]:
    """Say which operations gave up what they should have waited for."""
    for one in (*evidence.operations, *evidence.backup_operations):
        if one["status"] == "failed" and _PASSING.search(one["error"]):
            yield f"{one['kind']} {one['id']} of {one['subject']} did not wait: {one['error']}"
