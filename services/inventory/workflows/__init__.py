"""Long operations: none yet; what takes long here is a task of Proxmox, which keeps its own state."""
