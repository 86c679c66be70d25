"""Pure functions from the evidence to sentences, one for each thing that does not hold.

operations    every accepted one ended, none was invented, none ran twice
containers    containers with our mark = apps that should have one
reservations  container ids, ports and hostnames: unique, none leaked
archives      no archive without its record, nor the reverse
strangers     what others own is as it was
answers       what was confirmed is there, what was refused is not
audit         every accepted write has exactly one audit entry
events        every event has had its effect
waits         no operation fails for what passes by itself
policies      policies remove their own backups alone, and never the last good one
tasks         nothing is under way at Proxmox any more
destroyed     no container or archive is destroyed but by an operation that may
"""

from __future__ import annotations

from tests.chaos.checks.answers import check_answers
from tests.chaos.checks.archives import check_archives
from tests.chaos.checks.audit import check_audit
from tests.chaos.checks.containers import check_containers
from tests.chaos.checks.destroyed import check_destroyed
from tests.chaos.checks.events import check_events
from tests.chaos.checks.operations import check_operations
from tests.chaos.checks.policies import check_policies
from tests.chaos.checks.reservations import check_reservations
from tests.chaos.checks.strangers import check_strangers
from tests.chaos.checks.tasks import check_tasks
from tests.chaos.checks.waits import check_waits
from tests.chaos.evidence import Evidence

__all__ = ["check_all"]


def check_all(evidence: Evidence) -> list[str]:
    """Everything that does not hold."""
    checks = (
        check_operations,
        check_containers,
        check_reservations,
        check_archives,
        check_strangers,
        check_answers,
        check_audit,
        check_events,
        check_waits,
        check_destroyed,
        check_policies,
        check_tasks,
    )
    return [violation for check in checks for violation in check(evidence)]
