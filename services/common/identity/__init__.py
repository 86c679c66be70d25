"""Tokens, keys of services, sealing of secrets at rest."""
