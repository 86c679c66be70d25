"""All SQL of backups: `reads`, `writes` (the whole store), `changes` within a transaction, `policies`, `restore_tests`."""

from services.backups.store.archive_checks import SqlArchiveCheckStore
from services.backups.store.changes import build_operation_store, operation_queue
from services.backups.store.policies import SqlPolicyStore
from services.backups.store.restore_tests import SqlRestoreTestStore
from services.backups.store.settings import SqlBackupSettingsStore
from services.backups.store.storages import SqlStorageStore
from services.backups.store.writes import SqlBackupStore

__all__ = [
    "SqlArchiveCheckStore",
    "SqlBackupSettingsStore",
    "SqlBackupStore",
    "SqlPolicyStore",
    "SqlRestoreTestStore",
    "SqlStorageStore",
    "build_operation_store",
    "operation_queue",
]
