"""Telemetry of a process: traces (OpenTelemetry), metrics (Prometheus), errors (Sentry).

Each is off until a setting names where it goes, and then costs nothing; trace ids are passed on in any case.
"""
