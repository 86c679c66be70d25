"""Protobuf <-> domain: checks of archives."""

from __future__ import annotations

from proximity.inventory.v1 import archive_check_pb2 as pb

from services.inventory.domain.archive_checks import ArchiveVerdict


def render_check(verdict: ArchiveVerdict | None) -> pb.ArchiveCheckProgress:
    """Render the outcome of a check; None: it goes on."""
    if verdict is None:
        return pb.ArchiveCheckProgress(done=False)
    return pb.ArchiveCheckProgress(
        done=True, status=verdict.state.value, reason=verdict.reason, node=verdict.node
    )
