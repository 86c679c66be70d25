"""What task logs say: backup jobs, and why tasks failed."""

from __future__ import annotations

import pytest

from services.inventory.proxmox.task_log import (
    BackupJob,
    explain_failure,
    find_failed_growth,
    parse_backup_job,
)

START = "INFO: starting new backup job: vzdump 201 --remove 0 --node pve --notes-template {} --mode snapshot --storage local"
ARCHIVE = "INFO: creating vzdump archive '/var/lib/vz/dump/vzdump-lxc-201-2026_11_30-06_31_46.tar.zst'"
MARK = "proximity-backup: 123"
# As a real server prints it.
PIPE = (
    "set -o pipefail && lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar cpf - --totals --sparse "
    "'--exclude=./tmp/?*' '--exclude=./var/tmp/?*' ./ | zstd '--threads=1' >/srv/small/dump/x.tar.dat"
)


@pytest.mark.parametrize(
    ("notes", "is_ours"),
    [
        (r"'proximity-backup: 123\nfirst line'", True),
        (r"'first line\nproximity-backup: 123'", True),
        ("'proximity-backup: 123'", True),
        ("'proximity-backup: 1234'", False),
        ("'not proximity-backup: 123'", False),
        ("'{{guestname}}'", False),
        (r"'it'\''s --storage other\nproximity-backup: 123'", True),
    ],
)
def test_a_job_is_ours_by_the_options_that_its_log_begins_with(notes: str, is_ours: bool) -> None:
    job = parse_backup_job([START.format(notes), "INFO: Starting Backup of VM 201 (lxc)"])
    assert job.has_mark(MARK) is is_ours
    assert (job.storage, job.volume_id) == ("local", "")


def test_a_job_names_its_archive_in_parts() -> None:
    job = parse_backup_job([START.format("'x'")])
    job = parse_backup_job([ARCHIVE], before=job)
    assert job.volume_id == "local:backup/vzdump-lxc-201-2026_11_30-06_31_46.tar.zst"
    pbs = parse_backup_job(
        [
            "INFO: starting new backup job: vzdump 201 --storage pbs",
            "INFO: creating Proxmox Backup Server archive 'ct/201/2026-11-30T06:31:46Z'",
        ]
    )
    assert pbs.volume_id == "pbs:backup/ct/201/2026-11-30T06:31:46Z"


def test_a_job_without_a_storage_or_with_an_odd_command_has_no_volume_id() -> None:
    job = parse_backup_job(["INFO: starting new backup job: vzdump 201 --notes-template 'open", ARCHIVE])
    assert (job.volume_id, job.name) == ("", "vzdump-lxc-201-2026_11_30-06_31_46.tar.zst")
    assert parse_backup_job([]) == BackupJob()


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        (["ERROR: Backup of VM 9 failed - x", "TASK ERROR: job errors"], "job errors", "Backup of VM 9 failed - x (job errors)"),
        (["TASK ERROR: unable to create CT 9"], "unable to create CT 9", "unable to create CT 9"),
        ([], "interrupted by signal", "interrupted by signal"),
        (
            [
                "INFO: zstd: error 70 : Write error : cannot write block : No space left on device",
                "ERROR: Backup of VM 9 failed - command 'tar' failed: exit code 2",
                "TASK ERROR: job errors",
            ],
            "job errors",
            ("zstd: error 70 : Write error : cannot write block : No space left on device; "
            "Backup of VM 9 failed - command 'tar' failed: exit code 2 (job errors)"),
        ),
        (
            [
                "INFO: creating vzdump archive '/srv/small/dump/x.tar.zst'",
                "INFO: zstd: error 70 : Write error : cannot write block : No space left on device ",
                f"ERROR: Backup of VM 9 failed - command '{PIPE}' failed: exit code 70",
                "INFO: Failed at 2026-11-30 21:06:46",
                "cp: error writing '/srv/small/dump/x.log': No space left on device",
                "INFO: Backup job finished with errors",
                "TASK ERROR: job errors",
            ],
            "job errors",
            ("zstd: error 70 : Write error : cannot write block : No space left on device; Backup of VM 9 failed - "
            "command 'set -o pipefail && lxc-usernsexec -m u:0:100000:65536 -m g:0…' failed: exit code 70 (job errors)"),
        ),
        (
            [
                "extracting archive '/var/lib/vz/dump/x.tar.zst'",
                "/*stdin*\\ : Read error (39) : premature end ",
                "tar: Unexpected EOF in archive",
                "tar: Error is not recoverable: exiting now",
                f"TASK ERROR: unable to restore CT 9 - command '{PIPE}' failed: exit code 2",
            ],
            f"unable to restore CT 9 - command '{PIPE}' failed: exit code 2",
            ("tar: Unexpected EOF in archive (unable to restore CT 9 - command "
            "'set -o pipefail && lxc-usernsexec -m u:0:100000:65536 -m g:0…' failed: exit code 2)"),
        ),
        ([f"ERROR: {number}" for number in range(9)], "job errors", "6; 7; 8 (job errors)"),
        (["ERROR: same", "ERROR: same"], "job errors", "same (job errors)"),
        (
            [
                "2026-11-30 11:13:21 starting migration of CT 9 to node 'pve2' (192.0.2.2)",
                "2026-11-30 11:13:21 ERROR: migration aborted (duration 00:00:00): CT is locked (backup)",
                "TASK ERROR: migration aborted",
            ],
            "migration aborted",
            "migration aborted (duration 00:00:00): CT is locked (backup)",
        ),
    ],
)  # fmt: skip
def test_the_last_error_lines_are_the_reason(lines: list[str], status: str, reason: str) -> None:
    assert explain_failure(lines, status) == reason


def test_growth_that_worked_is_no_failure() -> None:
    assert (
        find_failed_growth(
            ["Image resized.", "The filesystem on /dev/loop15 is now 786432 (4k) blocks long."]
        )
        == ""
    )
    assert "exit code 1" in find_failed_growth(["Failed to update the container's filesystem: exit code 1"])
