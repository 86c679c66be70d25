"""Variables that no setting reads: those of the Django system that this one replaces, and misspelt ones."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

OURS = "PROXIMITY_"
_REPLACED = {
    "REDIS_URL": "there is no Redis: NATS_URL names the NATS servers, which carry jobs, events and revocations",
    "CELERY_BROKER_URL": "there is no Celery: workers take their jobs from NATS (NATS_URL)",
    "CELERY_RESULT_BACKEND": "results of jobs are operations, in the services' databases (DATABASE_URL)",
    "DJANGO_SETTINGS_MODULE": "there is no Django: docs/configuration.md lists every variable",
    "ALLOWED_HOSTS": "the gateway answers for any name; a proxy before it decides about names",
}
_CLOSE = 0.85  # similarity from which a name counts as a misspelling: one letter of seven differs


def explain_replaced(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable of the Django system that is set and has no effect here."""
    found = []
    for name in sorted(environ):
        if name in _REPLACED:
            found.append(f"{name} has no effect: {_REPLACED[name]}")
        elif name.startswith("CELERY_"):
            found.append(
                f"{name} has no effect: there is no Celery; workers take their jobs from NATS (NATS_URL)"
            )
    return found


def find_misspelt(environ: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Return a fault for each variable that no setting reads and that was meant to be one of ours.

    That is what begins with PROXIMITY_, and what differs from a known name in a letter or two.
    """
    known = {*known, *(f"{name}_FILE" for name in known)}
    faults = []
    for name in sorted(set(environ) - known):
        close = difflib.get_close_matches(name, known, n=1, cutoff=_CLOSE) if _is_similar(name) else []
        if close:
            faults.append(f"{name}: there is no such variable; {close[0]} is one")
        elif name.startswith(OURS):
            faults.append(f"{name}: there is no such variable; docs/configuration.md lists them all")
    return faults


def _is_similar(name: str) -> bool:
    """Whether a name is worth comparing: variables of shells and programs are many."""
    return len(name) > 6 and not name.startswith(("PYTHON", "OTEL_", "PIP_", "PYTEST_", "XDG_", "LC_"))
