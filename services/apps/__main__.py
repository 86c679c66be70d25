"""`python -m services.apps serve | work | migrate | check-config | rotate-keys | poison-messages`."""

from __future__ import annotations

import sys

from services.apps.config import AppsSettings
from services.apps.server import serve_apps, work_apps
from services.apps.tables import SEALED
from services.common.process.commands import main

if __name__ == "__main__":
    sys.exit(main("apps", AppsSettings, serve=serve_apps, work=work_apps, sealed=SEALED))
