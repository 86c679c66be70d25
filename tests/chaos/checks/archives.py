"""No backup archive without its record, nor the reverse."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence import Evidence

_STABLE = {"completed", "failed"}


def check_archives(evidence: Evidence) -> Iterator[str]:
    """Say which archives nobody knows, and which records have none."""
    known = {
        volume["volid"] for volume in evidence.before.get("volumes", []) if volume["content"] == "backup"
    }
    archives = {
        volume["volid"]: volume
        for volume in evidence.after.get("volumes", [])
        if volume["content"] == "backup"
    }
    recorded: set[str] = set()
    for backup in evidence.backups:
        name = f"backup {backup['id']} of {backup['app_id']}"
        if backup["status"] not in _STABLE:
            yield f"{name} rests in {backup['status']}"
        if backup["test_status"] == "running":
            yield f"{name} rests in a restore test"
        if backup["status"] != "completed":
            continue
        if backup["volume_id"] not in archives:
            yield f"{name} is completed and its archive {backup['volume_id']} is gone"
        if backup["volume_id"] in recorded:
            yield f"{name} names the archive of another backup, {backup['volume_id']}"
        recorded.add(backup["volume_id"])
        archive = archives.get(backup["volume_id"], {})
        if archive and backup["mark"] not in str(archive.get("notes")):
            yield f"{name} names an archive that does not carry its mark, {backup['volume_id']}"
    for volume_id in sorted(archives.keys() - recorded - known):
        notes = str(archives[volume_id].get("notes")).replace("\n", " ")
        yield f"archive {volume_id} has no record ({notes})"
