"""What every process needs and that knows no wire and no database: errors, time, configuration, logs, telemetry."""
