"""The audit log."""

from __future__ import annotations

from services.auth.domain.entities import AuditEntry, AuditFilter, Page
from services.auth.domain.interfaces import AuditStore


async def list_audit_entries(
    audit: AuditStore, *, wanted: AuditFilter, page: Page
) -> tuple[list[AuditEntry], int]:
    """List the entries that a filter selects, newest first, and return how many there are."""
    return await audit.list_entries(page, wanted=wanted)
