"""All SQL of backups: `reads`, `writes` (the whole store), and `changes` within a transaction."""

from services.backups.store.changes import build_operation_store, operation_queue
from services.backups.store.writes import SqlBackupStore

__all__ = ["SqlBackupStore", "build_operation_store", "operation_queue"]
