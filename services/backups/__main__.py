"""`python -m services.backups serve | work | migrate | check-config | rotate-keys | poison-messages`."""

import sys

from services.backups.config import BackupsSettings
from services.backups.server import serve, work
from services.backups.store.tables import idempotency
from services.common.process.commands import main
from services.common.rpc.interceptors.idempotency import seal_column

if __name__ == "__main__":
    sys.exit(main("backups", BackupsSettings, serve=serve, work=work, sealed=[seal_column(idempotency)]))
