"""NATS JetStream: bus, consumers, streams, transactional outbox, revocation feed."""
