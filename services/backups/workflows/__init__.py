"""Long-running operations of backups, one module each, with their steps in running order."""
