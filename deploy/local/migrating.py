"""`python -m deploy.local.migrating`: brings every service's database to the newest version, in one process.

Each service can do it by itself (`python -m services.<name> migrate`); five processes take five times the start-up.
"""

from __future__ import annotations

import sys

from services.common.config import SERVICES, ConfigError, ServiceSettings, read_settings
from services.common.migrations import upgrade


def main() -> int:
    """Migrate, and return the exit status: 2 where the settings are wrong."""
    try:
        settings = read_settings(ServiceSettings)
    except ConfigError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return 2
    for service in SERVICES:
        upgrade(settings.database_url, service)
    return 0


if __name__ == "__main__":
    sys.exit(main())
