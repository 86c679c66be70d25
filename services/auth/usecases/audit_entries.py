"""The audit log."""

from __future__ import annotations

from services.auth.domain.entities import AuditEntry, Page
from services.auth.domain.interfaces import AuditStore


async def list_audit_entries(
    audit: AuditStore, *, user: str, action: str, page: Page
) -> tuple[list[AuditEntry], int]:
    """List entries, newest first, and return the total; of one user or action where one is named."""
    return await audit.list_entries(page, user=user, action=action)
