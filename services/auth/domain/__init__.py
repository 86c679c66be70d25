"""Entities, rules and Protocols of auth; no I/O.

A value belongs here, and so does a rule that needs no store: which passwords are accepted, how long an attempt waits,
how the audit log is chained. `interfaces` declares what use cases need from stores and adapters.
"""
