"""Backups: what the old system knows of the archives on Proxmox's storages; the archives stay where they are."""

from __future__ import annotations

from typing import Any

from deploy.import_django.plan import Known, Plan, choose_id
from deploy.import_django.rows import Row
from services.common.core.clock import now

_TABLE = "backups"
_TYPES = {"snapshot", "suspend", "stop"}
_COMPRESSIONS = {"zstd", "gzip", "lzo"}
_STATUSES = {"completed": "completed", "restoring": "completed", "failed": "failed"}
_UNFINISHED = {"creating", "deleting", "pending"}


def plan_backups(rows: list[Row], known: Known, plan: Plan) -> None:
    """Decide about every backup; one that came over before stays as it is."""
    marks = {row["mark"] for row in known.backups}
    deleted = known.list_deleted_marks()
    taken = {row["id"] for row in known.backups}
    reserved = {row.id for row in rows}
    for row in rows:
        if _mark(row) in marks:
            plan.report.skip(_TABLE)
        elif _mark(row) in deleted:
            plan.report.leave(_TABLE, row.key, "it came over before, and was deleted here")
        elif reason := _find_fault(row, plan):
            plan.report.leave(_TABLE, row.key, reason)
        else:
            chosen = choose_id(row.id, taken, reserved=reserved)
            if chosen != row.id:
                row.note(f"has id {chosen} here: {row.id} is another's, or too large")
            plan.backups.append(_build_backup(row, chosen, plan))
            plan.report.add(_TABLE)
            plan.report.note_faults(_TABLE, row)


def _mark(row: Row) -> str:
    return f"django-{row.id}"


def _app_of(row: Row) -> str:
    return row.line("application_id", "app_id")


def _find_fault(row: Row, plan: Plan) -> str:
    status = row.line("status").lower()
    if _app_of(row) not in plan.places:
        return f"its application {_app_of(row)[:120]!r} did not come over"
    if status not in _STATUSES and status not in _UNFINISHED:
        return f"its status {status[:80]!r} is not known"
    if status in {"completed", "restoring"} and not all(_find_archive(row)):
        return "it is completed, but names no archive or no storage"
    return ""


def _find_archive(row: Row) -> tuple[str, str]:
    """Storage and file; the file may be written as Proxmox names volumes (local:backup/vzdump-…)."""
    storage, name = row.line("storage_name", "storage"), row.line("file_name", "filename", "file")
    if ":" in name:
        storage, _, name = name.partition(":")
    return storage[:100], name.rpartition("/")[2][:250]


def _build_backup(row: Row, backup_id: int, plan: Plan) -> dict[str, Any]:
    owner_id, host_id, vmid = plan.places[_app_of(row)]
    old = row.line("status").lower()
    storage, name = _find_archive(row)
    error = row.text("error_message", "error")
    if old in _UNFINISHED:
        error = f"it was {old!r} in the old system when it was moved"
        row.note(f"comes over as failed: {error}")
    created = row.time("created_at") or now()
    return {
        "id": backup_id,
        "app_id": _app_of(row),
        "owner_id": owner_id,
        "host_id": host_id,
        "vmid": vmid,
        "backup_type": _choose(row, "backup_type", _TYPES, default="snapshot"),
        "compression": _choose(row, "compression", _COMPRESSIONS, default="zstd"),
        "wanted_storage": storage,
        "mark": _mark(row),
        "status": _STATUSES.get(old, "failed"),
        "volume_id": f"{storage}:backup/{name}" if storage and name else "",
        "file_name": name,
        "storage": storage,
        "size": row.number("size", "file_size", low=0) or 0,
        "error": error,
        "protected": row.flag("protected", default=False),
        "notes": row.text("notes"),
        "created_at": created,
        "updated_at": row.time("updated_at") or created,
        "completed_at": row.time("completed_at"),
    }


def _choose(row: Row, name: str, allowed: set[str], *, default: str) -> str:
    value = row.line(name).lower()
    if value and value not in allowed:
        row.fault(name, value, f"is not one of {', '.join(sorted(allowed))}: {default} is used")
    return value if value in allowed else default
