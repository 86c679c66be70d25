"""State of TestBackup, persisted after every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.backups.domain.changes import EndTest
from services.backups.domain.restore_tests import (
    MAX_LINE,
    MAX_LOG_LINES,
    RecordedApp,
    RestoreTestStatus,
    RestoreTestStep,
)
from services.clients.inventory.restore_tests import TEST_PREFIX
from services.clients.inventory.values import Ref, Task
from services.common.core.clock import now


@dataclass(frozen=True, kw_only=True)
class TestBackupState:
    """State of TestBackup.

    Attributes:
        node, storage: where the test container is made.
        bridge: isolated; empty: without network.
        vmid: of the test container; 0 until it is reserved.
        upid: the task of the step under way.
        recorded: the app that the restored one is compared with; None: nothing is known of it.
        left_out: volumes that are not in the archive.
        broken: why the archive cannot be restored, known before; empty: it may be restorable.
        began_at: epoch seconds.
        limit_s: after which the test is broken off; 0 in operations that an earlier release recorded.
        log: lines of the test.
        failed_step, reason: the step at which the backup failed the test, and why; empty: it did not.
        is_done: every check was made.
    """

    operation_id: str
    backup_id: int
    app_id: str
    archive: str
    host_id: int
    node: str
    storage: str
    bridge: str = ""
    vmid: int = 0
    upid: str = ""
    recorded: RecordedApp | None = None
    left_out: Sequence[str] = ()
    broken: str = ""
    began_at: float = 0.0
    limit_s: float = 0.0
    log: Sequence[str] = ()
    failed_step: str = ""
    reason: str = ""
    is_done: bool = False

    @property
    def owner(self) -> str:
        """Return the owner of the test container."""
        return f"{TEST_PREFIX}{self.operation_id}"

    @property
    def ref(self) -> Ref:
        """Return the place of the test container."""
        return Ref(self.host_id, self.vmid, self.node)

    @property
    def task(self) -> Task:
        """Return the task under way."""
        return Task(self.host_id, self.node, self.upid)

    @property
    def app(self) -> RecordedApp:
        """Return the app as it was when the backup was made."""
        return self.recorded or RecordedApp()

    def add_line(self, text: str) -> TestBackupState:
        """Return the state with a line in its log."""
        seconds = max(0, int(now().timestamp() - self.began_at))
        line = f"{seconds} s: {text}"[:MAX_LINE]
        # Bounded: the log is stored in the operation's state and in the backup's row.
        return replace(self, log=(*self.log, line)[-MAX_LOG_LINES:])

    def fail(self, step: RestoreTestStep, reason: str) -> TestBackupState:
        """Return the state of a test that the backup failed at `step`."""
        failed = replace(self, failed_step=step.value, reason=reason[:MAX_LINE])
        return failed.add_line(f"failed at {step.value}: {reason}")

    def render_end(self, error: str = "") -> EndTest:
        """Return the change that records the outcome; `error` is why the test was not carried out to its end."""
        status, message = RestoreTestStatus.UNTESTED, error
        # Neither flag is set when a test was broken off: that says nothing about the backup.
        if self.failed_step:
            status, message = RestoreTestStatus.FAILED, self.reason
        elif self.is_done:
            status, message = RestoreTestStatus.PASSED, ""
        return EndTest(
            backup_id=self.backup_id,
            app_id=self.app_id,
            status=status,
            failed_step=self.failed_step,
            message=message[:MAX_LINE],
            log=tuple(self.log),
        )
