"""The life of a server or worker process: configuration, start, health, graceful shutdown."""
