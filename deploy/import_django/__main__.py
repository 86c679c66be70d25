"""`python -m deploy.import_django --from sqlite:///old.db|postgresql://… [--apply]`: move in from the Django system.

Without --apply nothing is written: the report says what would come over and what would not. The databases written to
are those of `make run` in PROXIMITY_STATE_DIR, or of DATABASE_URL; secrets are sealed with SECRET_KEY. Secrets that the
old system encrypted are decrypted with DJANGO_SECRET_KEY, its SECRET_KEY. Stop the platform first; importing before its
first start keeps every id.
"""

from __future__ import annotations

import argparse
import os
import sys

from deploy.import_django.apps import plan_apps, plan_logs
from deploy.import_django.backups import plan_backups
from deploy.import_django.decryption import VARIABLE, Decryptor
from deploy.import_django.hosts import plan_hosts
from deploy.import_django.plan import Known, Plan
from deploy.import_django.rows import Row
from deploy.import_django.settings import plan_settings
from deploy.import_django.source import TABLES, SourceError, read_source
from deploy.import_django.targets import migrate, read_known, write_plan
from deploy.import_django.users import plan_users
from deploy.local.settings import LocalSettings
from deploy.local.state import StateLock, ensure_secret
from services.common.core.config import ConfigError, read_settings
from services.common.core.text import make_lines_printable
from services.common.identity.keys import Sealer


def make_plan(source: dict[str, list[Row]], known: Known, decryptor: Decryptor) -> Plan:
    """Decide about every row of the old system; nothing is written."""
    plan = Plan()
    plan.report.found = {table: len(source[table]) for table in TABLES}
    plan_users(source["users"], known, plan)
    plan_hosts(source["proxmox_hosts"], known, plan, decryptor=decryptor)
    plan_settings(source["system_settings"], known, plan)
    plan_apps(source["applications"], known, plan)
    plan_logs(source["deployment_logs"], plan)
    plan_backups(source["backups"], known, plan)
    return plan


def main(arguments: list[str] | None = None) -> int:
    """Report or import; 1 when the old database or the own ones refuse, 2 when something is set wrongly."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.import_django",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--from", dest="source", required=True, metavar="URL", help="the old database")
    parser.add_argument("--apply", action="store_true", help="write; without it only the report is made")
    options = parser.parse_args(arguments)
    try:
        settings = read_settings(LocalSettings)
        source = read_source(options.source)
    except (ConfigError, SourceError) as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    return _apply(settings, source) if options.apply else _report(settings, source)


def _url(settings: LocalSettings) -> str:
    return settings.database_url or f"sqlite:///{settings.state}/db/proximity.sqlite3"


def _make_decryptor() -> Decryptor:
    return Decryptor(os.environ.get(VARIABLE, ""))


def _report(settings: LocalSettings, source: dict[str, list[Row]]) -> int:
    plan = make_plan(source, read_known(_url(settings)), _make_decryptor())
    sys.stdout.write(make_lines_printable(plan.report.render()) + "nothing was written; --apply writes\n")
    return 0


def _apply(settings: LocalSettings, source: dict[str, list[Row]]) -> int:
    lock = StateLock(settings.state)
    try:
        if not lock.acquire():
            sys.stderr.write(f"the platform runs in {settings.state}: stop it first\n")
            return 1
        migrate(_url(settings))
        plan = make_plan(source, read_known(_url(settings)), _make_decryptor())
        write_plan(_url(settings), plan, Sealer(_read_secret_key(settings)))
    finally:
        lock.release()
    sys.stdout.write(make_lines_printable(plan.report.render()) + "written\n")
    return 0


def _read_secret_key(settings: LocalSettings) -> str:
    if settings.secret_key:
        return settings.secret_key
    folder = settings.state / "keys"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return ensure_secret(folder / "secret_key")[0]


if __name__ == "__main__":
    sys.exit(main())
