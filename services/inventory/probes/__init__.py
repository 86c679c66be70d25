"""The network besides Proxmox: the platform's own parts, for GetHealth, and TCP ports of containers."""
