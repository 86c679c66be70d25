"""Parsers of task logs: the archive that vzdump makes, and the cause of a failure."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

_JOB = re.compile(r"^INFO: starting new backup job: (vzdump .*)$", re.DOTALL)
_ARCHIVE = re.compile(r"creating (?:vzdump|Proxmox Backup Server) archive '([^']+)'")
# Tasks of migrations and replications put the time before each line.
_ERROR = re.compile(r"^(?:TASK |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d )?ERROR: (.*)")
_MOST_ERRORS = 3  # lines: the last ones name the cause, and a message must fit into a status
# What programs print on lines of their own; the ERROR line after them names only an exit code.
_CAUSE = re.compile(
    r"no space left on device|disk quota exceeded|read-only file system|input/output error|permission denied"
    r"|stale file handle|cannot allocate memory|out of memory|file too large"
    # An archive that is truncated or damaged: tar, zstd, gzip, lzop.
    r"|unexpected eof|unexpected end of file|premature end|checksum|crc error|data corruption|corrupt input",
    re.IGNORECASE,
)
# A pipe of vzdump or a restore is 600 characters of options, which no reader of a status needs.
_COMMAND = re.compile(r"command '(.{60}).*' failed(?=: )", re.DOTALL)
_END = re.compile(r"TASK (?P<status>OK|WARNINGS: \d+|ERROR: (?P<error>.+))$")
_FAILED_GROWTH = re.compile(r"^Failed to update the container's filesystem: *(.*)")


@dataclass(frozen=True)
class BackupJob:
    """A run of vzdump, as its log describes it.

    Attributes:
        storage: where the archive goes; empty when the request named none.
        notes: the notes given, each line break written as a backslash and an n.
        archive: the archive as the log names it, by its file or its name on a backup server; empty until then.
    """

    storage: str = ""
    notes: str = ""
    archive: str = ""

    @property
    def name(self) -> str:
        """The archive's name on its storage: a file without its folder, or group and time on a backup server."""
        return self.archive if self.archive.startswith("ct/") else self.archive.rpartition("/")[2]

    @property
    def volume_id(self) -> str:
        """The archive's volume id; empty while storage or archive are unknown."""
        return f"{self.storage}:backup/{self.name}" if self.storage and self.archive else ""

    def has_mark(self, mark: str) -> bool:
        """Whether a line of the notes is `mark`."""
        return mark in self.notes.split("\\n")


def parse_backup_job(lines: Sequence[str], *, before: BackupJob | None = None) -> BackupJob:
    """Return the run that lines of vzdump's log describe, added to what was known `before`."""
    job = before or BackupJob()
    for line in lines:
        if match := _JOB.match(line):
            job = replace(job, **_parse_options(match.group(1)))
        elif match := _ARCHIVE.search(line):
            job = replace(job, archive=match.group(1))
    return job


def _parse_options(command: str) -> dict[str, str]:
    try:
        words = shlex.split(command)
    except ValueError:
        return {}
    given = dict(itertools.pairwise(words))
    found = {"storage": given.get("--storage", ""), "notes": given.get("--notes-template", "")}
    return {name: value for name, value in found.items() if value}


def explain_failure(lines: Sequence[str], exit_status: str) -> str:
    """Return why a task failed: the last ERROR lines of its log with its exit status; the status where there are none.

    vzdump ends with `job errors` whatever happened, and the reason is only in its log.
    """
    errors = [match.group(1).strip() for line in lines if (match := _ERROR.match(line))]
    errors = [one for one in dict.fromkeys(errors) if one and one not in exit_status][-_MOST_ERRORS:]
    if not any(_CAUSE.search(one) for one in (*errors, exit_status)) and (cause := _find_cause(lines)):
        errors.insert(0, cause)
    errors, exit_status = [_shorten(one) for one in errors], _shorten(exit_status)
    if not errors:
        return exit_status
    return "; ".join(errors) if exit_status in errors[-1] else f"{'; '.join(errors)} ({exit_status})"


def _find_cause(lines: Sequence[str]) -> str:
    """Return the last line that names a cause before the last error; empty where there is none."""
    ends = [
        position for position, line in enumerate(lines) if _ERROR.match(line) and "job errors" not in line
    ]
    # What follows the error, such as the log that could not be copied either, is its consequence.
    before = lines[: ends[-1]] if ends else lines
    causes = [line.strip() for line in before if _CAUSE.search(line) and not _ERROR.match(line)]
    return causes[-1].removeprefix("INFO: ") if causes else ""


def _shorten(text: str) -> str:
    """Cut the command line in Proxmox's message of one that failed to its beginning."""
    return _COMMAND.sub(r"command '\1…' failed", text)


def find_end(lines: Sequence[str]) -> str:
    """Return the exit status that the last line of a log states; empty where the log has no such end."""
    match = _END.match(lines[-1]) if lines else None
    return (match.group("error") or match.group("status")) if match else ""


def find_failed_growth(lines: Sequence[str]) -> str:
    """Return why a file system was not grown with its volume; empty when nothing says so."""
    for position, line in enumerate(lines):
        if match := _FAILED_GROWTH.match(line):
            causes = [one for one in lines[:position] if re.match(r"\S*(resize|grow)\S*: ", one)]
            return "the volume has grown, its file system has not: " + (
                causes[-1] if causes else match.group(1) or line
            )
    return ""
