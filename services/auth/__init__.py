"""The service auth owns accounts, passwords, signing keys, sessions, personal API tokens and the audit log.

No other service signs access tokens or receives passwords.
"""
