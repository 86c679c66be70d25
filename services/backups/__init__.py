"""Backups: archives of apps, made, kept, restored and deleted.

It owns the rows that say which archive belongs to which app. The archives themselves are Proxmox's, reached through
inventory; the app is held, while a backup or restore is under way, through apps.

When an app is removed its backups stay: the rows are marked with the time, the archives are left on their storage,
and since nobody owns the app any more nobody sees them through the API. An administrator finds them on the storage.
"""
