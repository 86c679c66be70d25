"""NATS JetStream: bus, consumers, streams, transactional outbox, schedules."""
