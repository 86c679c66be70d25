"""Proxmox hosts and their credentials, nodes, container ids, system settings and health.

Nobody else talks to Proxmox or holds a credential of it: other services ask `ContainerService`. All that speaks to
Proxmox is in `proxmox/`.
"""
