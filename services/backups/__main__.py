"""`python -m services.backups serve | work | migrate | check-config`."""

import sys

from services.backups.config import BackupsSettings
from services.backups.server import serve, work
from services.common.process import main

if __name__ == "__main__":
    sys.exit(main("backups", BackupsSettings, serve=serve, work=work))
