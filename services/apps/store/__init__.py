"""All SQL of apps: `reads` asks, `writes` is the whole store, `changes` is what happens within a transaction."""

from services.apps.store.changes import operation_queue
from services.apps.store.writes import SqlAppStore

__all__ = ["SqlAppStore", "operation_queue"]
