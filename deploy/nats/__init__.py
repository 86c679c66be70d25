"""NATS: its configuration and the accounts that the platform's processes use."""
