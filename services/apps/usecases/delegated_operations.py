"""Apps that another service holds: when it is silent for long, it is asked how its operation stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from services.apps.domain.entities import AddLog, Change, ChangeApp, RestoreVersion
from services.common.core.clock import now
from services.common.operations.view import Operation


class Holds(Protocol):
    """Operations that other services carry out."""

    async def list_silent_holds(self, *, seconds: float) -> Sequence[Operation]:
        """Unfinished ones not heard of for so long."""

    async def get_held_status(self, operation_id: str) -> str:
        """The app's status before."""

    async def report(self, operation_id: str, values: Mapping[str, Any], *changes: Change) -> bool:
        """Set columns of an unfinished one, with changes."""


class Holder(Protocol):
    """Who carries them out."""

    async def find_standing(self, operation_id: str) -> str:
        """How an operation stands: unknown, unfinished, succeeded or failed."""


async def end_silent_holds(holds: Holds, holder: Holder, *, seconds: float) -> int:
    """End operations whose holder has ended them, or never heard of them; how many there were."""
    ended = 0
    for operation in await holds.list_silent_holds(seconds=seconds):
        standing = await holder.find_standing(operation.id)
        if standing == "unfinished":
            await holds.report(operation.id, {})
            continue
        status = await holds.get_held_status(operation.id)
        succeeded = standing == "succeeded"
        message = f"The {operation.kind} ended without a word: {standing}"
        values = {
            "status": "succeeded" if succeeded else "failed",
            "error": "" if succeeded else message,
            "finished_at": now(),
        }
        app_id = operation.subject
        restored = (RestoreVersion(app_id, operation.id),) if succeeded else ()
        changes = (
            *restored,
            ChangeApp(app_id, {"status": status, "error": message if status == "error" else ""}),
            AddLog(app_id, message, "warning", operation.kind),
        )
        ended += await holds.report(operation.id, values, *changes)
    return ended
