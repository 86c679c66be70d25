"""The rules of the simulated Proxmox VE."""
