"""The two commands: run until a signal, and run for as long as the demonstration takes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from proximity_cli.terminal import SafeConsole
from rich.markup import escape

from deploy.local.administrators import list_administrators, name_others
from deploy.local.api import Api
from deploy.local.demo import DemoError, play_demo
from deploy.local.nats import list_nats_urls
from deploy.local.settings import LocalSettings
from deploy.local.specs import PORTS, make_environment, make_secrets
from deploy.local.stack import Stack, StackError
from deploy.local.state import read_json

_console = SafeConsole(highlight=False, soft_wrap=True)


def _report(sentence: str) -> None:
    with contextlib.suppress(OSError):  # what it goes to may be a file on a full disk
        _console.print(f"[dim]{escape(sentence)}[/]")


async def run(settings: LocalSettings) -> int:
    """Start everything, say where it is, stay until SIGINT or SIGTERM."""
    ended = _listen_for_signals()
    stack = Stack(settings, report=_report)
    try:
        if not await _run_unless(ended, stack.start()):
            return 0
        names = await asyncio.to_thread(list_administrators, settings)
        others = name_others(names, settings.admin_username)
        # Signing in only where the name fits: a failed attempt is counted, and would lock others out.
        is_admin = not others and await asyncio.to_thread(_may_sign_in, stack)
        _say_where(stack, others=others, is_admin=is_admin)
        if not settings.is_simulated:
            _console.print(f"  Proxmox VE     {escape(await asyncio.to_thread(_try_host, stack))}\n")
        await ended.wait()
        _report("ending")
    finally:
        await stack.stop()
    return 0


async def run_command(settings: LocalSettings, service: str, arguments: list[str]) -> int:
    """Run a command of a service as its process in `run` would, and return its exit status.

    Raises:
        StackError: nothing ever ran in the state directory.
    """
    if not (settings.state / "keys").is_dir():
        raise StackError(f"there is no state in {settings.state}; PROXIMITY_STATE_DIR names another place")
    ports = dict.fromkeys(PORTS, 1) | read_json(settings.state / "ports.json")
    environment = make_environment(settings, make_secrets(settings), ports, proxmox={})
    if urls := list_nats_urls(settings, ports):
        environment["NATS_URL"] = urls[service]
    arguments = ["-m", f"services.{service}", *arguments]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)
    return await process.wait()


async def run_demo(settings: LocalSettings) -> int:
    """Start everything, take an app through its life, end; 1 with the reason when something failed."""
    ended = _listen_for_signals()
    stack = Stack(settings, report=_report)
    try:
        _report("starting the platform")
        if not await _run_unless(ended, stack.start()) or stack.secrets is None:
            return 130
        play = asyncio.to_thread(play_demo, settings, stack.secrets.admin_password, console=_console)
        return 0 if await _run_unless(ended, play) else 130
    except (DemoError, StackError) as error:
        _console.print(f"[bold red]failed:[/] {escape(str(error))}")
        _console.print(f"the logs are in {stack.logs}")
        return 1
    finally:
        await stack.stop()


def _listen_for_signals() -> asyncio.Event:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    return ended


async def _run_unless(ended: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Run `work`; False when a signal came first. What it raises is raised here."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(ended.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.wait({task}, timeout=2)
    return False


def _may_sign_in(stack: Stack) -> bool:
    """Whether the generated password is the administrator's: accounts that were imported or there before have theirs."""
    if stack.secrets is None or stack.settings.admin_password:
        return True
    try:
        Api(stack.settings.url, certificate=stack.settings.certificate).sign_in(
            stack.settings.admin_username, stack.secrets.admin_password
        )
    except DemoError:
        return False
    return True


def _try_host(stack: Stack) -> str:
    """What the Proxmox host of the settings says, as the first administrator asks."""
    api = Api(stack.settings.url, certificate=stack.settings.certificate)
    try:
        api.sign_in(stack.settings.admin_username, stack.secrets.admin_password if stack.secrets else "")
        host = next(one for one in api.read_array("/proxmox/hosts") if one["is_default"])
        said = api.send("POST", f"/proxmox/hosts/{host['id']}/test", {})
    except (DemoError, StopIteration):
        return f"{stack.settings.proxmox_host}: how it is says GET /api/proxmox/hosts"
    return str(said["message"])


def _say_where(stack: Stack, *, others: str, is_admin: bool) -> None:
    settings, secrets = stack.settings, stack.secrets
    https = "" if settings.require_https else f" (and {settings.url.replace('http://', 'https://', 1)}/api)"
    _console.print(f"[bold green]Proximity is ready[/] at {settings.url}/api{https}")
    _console.print(f"  web console    {settings.url}/")
    _console.print(f"  documentation  {settings.url}/api/docs")
    if not is_admin:
        who = escape(others or stack.settings.admin_username)
        _console.print(
            f"  administrator  {who}, with a password of their own; a lost password is replaced by"
        )
        _console.print("                 python -m deploy.local service auth reset-password NAME")
    elif secrets is not None and secrets.is_new:
        _console.print(f"  administrator  {settings.admin_username}, password {secrets.admin_password}")
        _console.print("                 shown once; change it after signing in")
    elif not settings.admin_password:
        _console.print(
            f"  administrator  {settings.admin_username}, first password in {settings.state}/keys/admin_password"
        )
    else:
        _console.print(f"  administrator  {settings.admin_username}")
    if settings.is_simulated:
        _console.print(f"  Proxmox VE     simulated, see {settings.state}/pvesim.json")
    _console.print(f"  logs           {stack.logs}", end="\n\n")
