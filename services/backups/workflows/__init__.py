"""Long operations of the backups service, one file each, their steps in running order."""
