"""AuthService: the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.convert.audit import parse_audit_filter, render_audit_entries
from services.auth.convert.fields import parse_page
from services.auth.domain.interfaces import AuditStore
from services.auth.usecases.audit_entries import list_audit_entries
from services.common.rpc.call import Call


@dataclass(frozen=True, kw_only=True)
class AuditEntryHandlers:
    """RPCs of the audit log."""

    audit: AuditStore

    async def list_audit_entries(
        self, request: pb.ListAuditEntriesRequest, call: Call
    ) -> pb.ListAuditEntriesResponse:
        """List the audit log."""
        page = parse_page(request)
        wanted = parse_audit_filter(request)
        entries, total = await list_audit_entries(self.audit, wanted=wanted, page=page)
        last = entries[-1].id if entries else ""
        call.add_list_links(
            page=page.number, per_page=page.size, total=total, after=page.after, last=last, count=len(entries)
        )
        return render_audit_entries(entries, total, page=page)
