"""The services in one process, on real databases, against Proxmox in memory: a worker may die at any checkpoint."""
