"""Foundation of every process, without wire and database: errors, time, configuration, logs, telemetry."""
