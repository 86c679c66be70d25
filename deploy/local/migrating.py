"""`python -m deploy.local.migrating`: brings every service's database to the newest version, in one process.

Each service can do it by itself (`python -m services.<name> migrate`); five processes take five times the start-up.
"""

from __future__ import annotations

import sys

import sqlalchemy as sa

from services.common.core.config import ConfigError, ServiceSettings, read_settings
from services.common.db.migrations import upgrade
from services.common.db.transactions import REMEDY, explain, find_fault, is_locked
from services.registry import SERVICES


def main() -> int:
    """Migrate, and return the exit status: 2 where the settings are wrong, 1 where the database cannot be reached."""
    try:
        settings = read_settings(ServiceSettings)
    except ConfigError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return 2
    try:
        for service in SERVICES:
            _upgrade(settings.database_url, service)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except sa.exc.OperationalError as error:
        reason = " ".join(str(error.orig).split())
        sys.stderr.write(f"DATABASE_URL: {reason}\n")
        return 1
    return 0


def _upgrade(url: str, service: str) -> None:
    """Migrate one service, and leave the others alone when its SQLite file is damaged: the service says so itself."""
    try:
        upgrade(url, service)
    except sa.exc.DBAPIError as error:
        fault = find_fault(error.orig) or (explain(error) if is_locked(error.orig) else "")
        if not fault:
            raise
        sys.stderr.write(f"the database of {service} cannot be used: {fault}; {REMEDY}\n")


if __name__ == "__main__":
    sys.exit(main())
