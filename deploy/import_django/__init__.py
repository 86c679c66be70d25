"""Moving in from the Django system: `python -m deploy.import_django --from URL [--apply]`.

`source` reads the old tables as `rows`, `users`, `hosts`, `settings`, `apps` and `backups` decide what each row becomes
and why one stays behind, without writing anything; `targets` reads and writes the databases of our services. Without `--apply` only the
report is made. A row is recognised again by what it is (user name, host name, id of an app, mark of a backup), so a
second run adds only what is new.
"""
