"""Readers of sources: folders, archives, https addresses and git repositories, and the process that imports them."""
