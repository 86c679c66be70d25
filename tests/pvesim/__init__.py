"""The simulated Proxmox VE: `python -m tests.pvesim` answers as a real cluster does."""
