"""`python -m services.apps serve | work | migrate | check-config | rotate-keys | poison-messages`."""

from __future__ import annotations

import sys

from services.apps.config import AppsSettings
from services.apps.server import serve, work
from services.apps.store.tables import SEALED
from services.common.process.commands import main

if __name__ == "__main__":
    sys.exit(main("apps", AppsSettings, serve=serve, work=work, sealed=SEALED))
