"""Schema of the backups service, version by version."""
