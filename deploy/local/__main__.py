"""`python -m deploy.local run | demo | service <name> <command>`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from deploy.configuration import check_local
from deploy.local.settings import LocalSettings
from deploy.local.stack import StackError
from services.common.core.config import ConfigError, read_settings
from services.common.core.environment import explain_replaced
from services.registry import SERVICES


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status: 1 what failed, 2 what was set wrongly."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything and stay until SIGINT or SIGTERM")
    commands.add_parser("demo", help="start everything, take an app through its life, end")
    service = commands.add_parser(
        "service", help="a command of a service with the state of `run`: auth audit verify"
    )
    service.add_argument("name", choices=SERVICES)
    service.add_argument("rest", nargs=argparse.REMAINDER, metavar="command")
    options = parser.parse_args(arguments)
    sys.stderr.writelines(f"{sentence}\n" for sentence in explain_replaced(os.environ))
    try:
        settings = read_settings(LocalSettings)
    except ConfigError as error:
        faults = error.faults
    else:
        faults = check_local(os.environ, settings)
    if faults:
        sys.stderr.writelines(f"{fault}\n" for fault in faults)
        return 2
    from deploy.local import runner

    os.umask(0o077)  # databases, keys, logs and sockets are this account's alone
    try:
        if options.command == "service":
            return asyncio.run(runner.run_command(settings, options.name, options.rest))
        command = runner.run if options.command == "run" else runner.run_demo
        return asyncio.run(command(settings))
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
