"""Backups: archives of apps, made, listed, restored and deleted.

The service owns the rows that map archives to apps. The archives are on storages of Proxmox, reached through
inventory. While a backup or restore is under way, the app is locked through apps.

When an app is removed its backups stay: the rows are marked with the time, and the archives are left on their storage.
Their owner and administrators list, restore (as a new app), protect and delete them as before.
"""
