"""Clients of `services.clients`: each suite runs against the fake and against the real service over gRPC."""
