"""Tables and all SQL of auth: one module per table or group of tables, each with the store that implements a Protocol.

Functions of a connection are for transactions that span several stores (`account_rows`, `revocations.end_families`).
"""
