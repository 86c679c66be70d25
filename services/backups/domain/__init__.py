"""Backups, preconditions of their operations, and the store's interface. No I/O."""
