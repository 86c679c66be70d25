"""All SQL of backups: `reads` asks, `writes` is the whole store, `changes` is what happens within a transaction."""

from services.backups.store.changes import RUN_OPERATION, build_operation_store
from services.backups.store.writes import SqlBackupStore

__all__ = ["RUN_OPERATION", "SqlBackupStore", "build_operation_store"]
