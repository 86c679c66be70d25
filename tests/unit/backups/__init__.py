"""RPCs of backups: handlers, use cases, store and workflows; apps and containers in memory."""
