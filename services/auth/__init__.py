"""auth owns accounts, passwords, signing keys, sessions, personal API tokens and the audit log.

Nobody else signs access tokens or sees a password.
"""
