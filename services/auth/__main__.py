"""`python -m services.auth`: commands of every service and of auth alone.

audit verify           check the chain of the audit log
rotate-signing-key     create a new signing key
replace-signing-keys   create a new signing key and delete the others
create-admin           print a one-time link that creates an administrator
reset-password NAME    print a one-time link that sets a password
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.auth.commands import ACCOUNT_COMMANDS, run_account_command
from services.auth.config import AuthSettings
from services.auth.domain.errors import AuditBrokenError
from services.auth.server import AuthParts, build_parts, serve
from services.auth.store.tables import SEALED
from services.common.core.clock import now
from services.common.core.config import ConfigError, read_settings
from services.common.core.text import make_printable
from services.common.process.commands import main
from services.common.process.runtime import close_runtime


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    if arguments == ["audit", "verify"]:
        arguments = ["audit-verify"]
    own = {
        "audit-verify": verify_audit,
        "rotate-signing-key": rotate_signing_key,
        "replace-signing-keys": replace_signing_keys,
    }
    try:
        if arguments and arguments[0] in ACCOUNT_COMMANDS:
            return run_account_command(arguments)
        if not arguments or arguments[0] not in own:
            return main("auth", AuthSettings, serve=serve, sealed=SEALED, argv=arguments)
        return asyncio.run(own[arguments[0]](read_settings(AuthSettings)))
    except ConfigError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return 2


@asynccontextmanager
async def open_parts(settings: AuthSettings) -> AsyncIterator[AuthParts]:
    """Construct the parts of the service for one command, and close them after it."""
    parts = build_parts(settings)
    try:
        yield parts
    finally:
        parts.hasher.close()
        await close_runtime(parts.runtime)


async def verify_audit(settings: AuthSettings) -> int:
    """Check the audit log's chain; return 0, or 1 where it was changed."""
    async with open_parts(settings) as parts:
        try:
            count = await parts.stores.audit.verify()
        except AuditBrokenError as error:
            sys.stderr.write(f"the audit log is broken: {make_printable(str(error))}\n")
            return 1
    sys.stdout.write(f"the audit log is whole: {count} entries\n")
    return 0


async def rotate_signing_key(settings: AuthSettings) -> int:
    """Create a new signing key now; it is used from ten minutes later on."""
    async with open_parts(settings) as parts:
        await parts.keys.rotate(signs_before=now())
    sys.stdout.write("a new signing key is published\n")
    return 0


async def replace_signing_keys(settings: AuthSettings) -> int:
    """Create a new signing key and delete the others, one of which leaked."""
    async with open_parts(settings) as parts:
        await parts.keys.replace()
    sys.stdout.write("there is one signing key, a new one; restart every service and the gateway now\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(sys.argv[1:]))
