"""Parts that steps of several workflows share: the app's lock, and tasks of Proxmox."""
