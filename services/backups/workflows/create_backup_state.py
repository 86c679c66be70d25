"""State of CreateBackup, persisted after every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.backups.domain.changes import CompleteBackup
from services.clients.inventory.archive_values import NewArchive
from services.clients.inventory.values import Ref, Task


@dataclass(frozen=True, kw_only=True)
class CreateBackupState:
    """State of CreateBackup.

    Attributes:
        mark: the first line of the archive's notes names it.
        upid: the task that makes the archive.
        storages: on which an archive of this backup may be: written down before each request for one, and taken back where
            the request was refused; None: a worker of the former release has worked on it, and it is not known.
        volume_ids: of every archive that the log of one of our tasks named; the last one is the backup.
        began_at: when the task was started, in epoch seconds.
        expected_s: how long the app's last backup took; 0 when there is none.
        was_running: whether the container ran before; None until it was read.
        left_stopped: after a failure, a container that was stopped for its archive cannot start again.
        has_lost_request: a request for the archive had no answer, so that a task of ours may run that is not known.
        is_refused: the archive was refused at every request, so that none of ours exists.
        unanswered: why the app does not answer after it was stopped for its archive; empty: it does.
    """

    operation_id: str
    backup_id: int
    app_id: str
    # A name that exists before the archive: Proxmox chooses the archive's own only while it makes it.
    mark: str
    backup_type: str
    compression: str
    storage: str
    notes: str
    host_id: int
    vmid: int
    node: str
    upid: str = ""
    volume_id: str = ""
    volume_ids: Sequence[str] = ()
    storages: Sequence[str] | None = None
    began_at: float = 0.0
    expected_s: int = 0
    file_name: str = ""
    storage_name: str = ""
    size: int = 0
    # None and not False before it was read: in mode stop the container may be stopped by vzdump.
    was_running: bool | None = None
    left_stopped: bool = False
    has_lost_request: bool = False
    is_refused: bool = False
    unanswered: str = ""

    @property
    def ref(self) -> Ref:
        """Return the place of the app's container."""
        return Ref(self.host_id, self.vmid, self.node)

    @property
    def task(self) -> Task:
        """Return the task that makes the archive."""
        return Task(self.host_id, self.node, self.upid, self.volume_id)

    @property
    def possible_storages(self) -> frozenset[str]:
        """Return the storages on which an archive of this backup may be; an empty name stands for any."""
        named = frozenset(volume_id.partition(":")[0] for volume_id in self.volume_ids)
        if self.storages is not None:
            return named | frozenset(self.storages)
        return frozenset() if self.is_refused else named or frozenset({self.storage})

    def describe_archive(self, storage: str) -> NewArchive:
        """Return the archive to make on a storage."""
        return NewArchive(
            mode=self.backup_type,
            compression=self.compression,
            storage=storage,
            notes=self.notes,
            backup_id=self.mark,
        )

    @property
    def completion(self) -> CompleteBackup:
        """Return the change that records the archive."""
        return CompleteBackup(
            backup_id=self.backup_id,
            app_id=self.app_id,
            volume_id=self.volume_id,
            file_name=self.file_name,
            storage=self.storage_name,
            size=self.size,
        )
