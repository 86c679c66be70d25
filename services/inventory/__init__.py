"""Proxmox hosts and their credentials, nodes, container ids, system settings and health.

No other service connects to Proxmox or has credentials of it: they call `ContainerService`. All connections to Proxmox
are made in `proxmox/`.
"""
