"""`python -m services.auth create-admin | reset-password NAME`: access for administrators of the server.

They need the database and nothing else: no key, no NATS, no network endpoint that could be exposed by mistake.
Passwords are read from the terminal, never from an argument, which every account of the machine can see.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from services.auth.config import parse_public_url
from services.auth.domain.credentials import IssuedLink, Revocation
from services.auth.domain.entities import NewAuditEntry, Registration
from services.auth.domain.errors import UserNotFoundError
from services.auth.domain.limits import make_limits
from services.auth.identity.password_hasher import Argon2Hasher
from services.auth.store.accounts import SqlAccountStore
from services.auth.store.attempts import SqlAttemptStore
from services.auth.store.audit import Expected, expected
from services.auth.store.one_time_links import SqlOneTimeLinkStore
from services.auth.usecases.one_time_links import (
    PAGE,
    SERVER,
    LinkDependencies,
    issue_invitation,
    issue_reset_link,
    set_password,
)
from services.auth.usecases.users import UserDependencies, create_user
from services.common.core.clock import now
from services.common.core.config import ConfigError, read_settings, setting
from services.common.core.errors import DomainError
from services.common.db.database import Database, create_engine, url_for_service

ACCOUNT_COMMANDS = ("create-admin", "reset-password")


@dataclass(frozen=True, kw_only=True)
class AccountCommandSettings:
    """Settings of these commands; the variables mean what they mean for the service."""

    database_url: str = setting(
        "DATABASE_URL",
        default="sqlite:///.proximity/db/proximity.sqlite3",
        doc="See the service.",
        secret=True,
    )
    public_url: str = setting("PUBLIC_URL", default="", parse=parse_public_url, doc="See the service.")


class _DeferredSink:
    """A `RevocationSink` that leaves the publication to the service, which reads the database twice a second."""

    def note_revoked(self, revocations: Sequence[Revocation]) -> None:
        """See `RevocationSink.note_revoked`."""


def run_account_command(arguments: Sequence[str]) -> int:
    """Run `create-admin` or `reset-password` and return its exit status: 1 refused, 2 set or called wrongly."""
    options = _parse_arguments(arguments)
    try:
        settings = read_settings(AccountCommandSettings)
        _require_database(settings.database_url)
    except ConfigError as error:
        sys.stderr.writelines(f"{fault}\n" for fault in error.faults)
        return 2
    password = _read_password() if options.password else ""
    if password is None or (options.password and not password):
        sys.stderr.write("the two passwords differ\n" if password is None else "no password was entered\n")
        return 1
    try:
        return asyncio.run(_run(settings, options, password=password))
    except DomainError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        sys.stderr.write("the database lacks the tables of this release: python -m services.auth migrate\n")
        return 1


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.auth")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create-admin", help="print a one-time link that creates an administrator")
    create.add_argument(
        "name", nargs="?", default="", help="create the account now, with a password from the terminal"
    )
    reset = commands.add_parser(
        "reset-password", help="print a one-time link that sets the password of an account"
    )
    reset.add_argument("name")
    reset.add_argument("--password", action="store_true", help="read the password from the terminal instead")
    options = parser.parse_args(arguments)
    if options.command == "create-admin":
        options.password = bool(options.name)
    return options


def _require_database(url: str) -> None:
    """Refuse to create an empty database where there is none."""
    try:
        target = url_for_service(url, "auth")
    except ValueError as error:
        raise ConfigError([str(error)]) from error
    # SQLite would create a missing file, and the link would be valid nowhere.
    file = Path(target.removeprefix("sqlite:///"))
    if target.startswith("sqlite") and not file.is_file():
        raise ConfigError([f"DATABASE_URL: there is no database in {file}; run this where the service runs"])


def _read_password() -> str | None:
    """Read a password twice from the terminal, or once from a pipe; None when the two differ."""
    # For scripts, which give it once and have it from a secret store.
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    return password if getpass.getpass("Again: ") == password else None


async def _run(settings: AccountCommandSettings, options: argparse.Namespace, *, password: str) -> int:
    db = Database(create_engine(settings.database_url, service="auth"))
    hasher = Argon2Hasher(1)
    links = LinkDependencies(
        links=SqlOneTimeLinkStore(db),
        accounts=SqlAccountStore(db),
        attempts=SqlAttemptStore(db),
        hasher=hasher,
        revocations=_DeferredSink(),
        limits=make_limits(),
        public_url=settings.public_url,
    )
    try:
        if options.command == "create-admin":
            await _create_admin(links, options.name, password=password)
        else:
            await _reset_password(links, options.name, password=password)
    finally:
        hasher.close()
        await db.close()
    return 0


async def _create_admin(links: LinkDependencies, name: str, *, password: str) -> None:
    if not name:
        _audit("auth.CreateInvitation", "administrator")
        _print_link(await issue_invitation(links, is_staff=True, by=SERVER), "creates an administrator")
        return
    _audit("auth.CreateUser", f"user {name}")
    new = Registration(username=name, email="", password=password)
    deps = UserDependencies(accounts=links.accounts, hasher=links.hasher, revocations=links.revocations)
    account = await create_user(deps, new, is_staff=True, issuer=None)
    sys.stdout.write(f"{account.username} is an administrator now\n")


async def _reset_password(links: LinkDependencies, name: str, *, password: str) -> None:
    account = await links.accounts.find_account(name)
    if account is None:
        raise UserNotFoundError(f"there is no user {name!r}")
    if password:
        _audit("auth.ResetPassword", f"user {account.id}")
        await set_password(links, account, password=password, by=SERVER)
        sys.stdout.write(f"the password of {account.username} is set; its sessions and API tokens ended\n")
        return
    _audit("auth.CreateResetLink", f"user {account.id}")
    _print_link(await issue_reset_link(links, account, by=SERVER), f"sets the password of {account.username}")


def _audit(action: str, target: str) -> None:
    """Register the audit entry that the stores write into the transaction of the change."""
    entry = NewAuditEntry(
        message_id=uuid.uuid4().hex,
        timestamp=now(),
        user_id=None,
        username="(server)",  # no account can have this name, because of its parentheses
        action=action,
        target=target,
        address="",
        outcome="OK",
    )
    expected.set(Expected(entry.message_id, lambda: entry))


def _print_link(issued: IssuedLink, what: str) -> None:
    sys.stdout.write(f"{issued.link}\n")
    ends = issued.expires_at.strftime("%Y-%m-%d %H:%M UTC")
    # On stderr: a script that reads the output gets the link alone.
    sys.stderr.write(f"this link {what}; it is valid for one use until {ends}\n")
    if issued.link.startswith(PAGE):
        sys.stderr.write("open it at the gateway's address; PUBLIC_URL puts that before it\n")
