"""The only code that connects to Proxmox: clients, and functions on one request or answer each.

It knows paths, parameters and texts of the API; which container may be changed when, and by whom, is decided in the use
cases. A module here imports no store and no message. Modules on `ProxmoxApi` open no connection by themselves; only
`client`, `session` and `answers` (the API), `ssh`, `consoles` and `websocket` (commands) and `nodes` (certificates) do.
"""
