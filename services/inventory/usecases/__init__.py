"""Use cases of the inventory: one function per RPC, named after it, in modules of one resource or one RPC.

Rules are here and in the domain: authorization of changes to containers, limits, checks of states and what a repetition
does. Use cases take values and Protocols of `domain.interfaces`; they know Proxmox by its API, and no message, no SQL.
"""
