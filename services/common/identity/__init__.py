"""Tokens, service keys, sealing of secrets at rest."""
