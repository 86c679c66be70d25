"""Cryptography behind Protocols of the domain: password hashes and the keys that sign access tokens."""
