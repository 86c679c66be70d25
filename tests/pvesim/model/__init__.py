"""The state of a simulated Proxmox VE cluster and the rules by which it changes.

Pure: no sockets, no files, no event loop. Time and randomness are passed in.
Handlers are registered by method and path in `router`; what takes time is a
generator (see `work`) that somebody else drives, fast or slow.
"""
