"""`docker compose` (and the old `docker-compose`)."""

import asyncio
import json
import re
from datetime import UTC, datetime

import yaml

from tests.pvesim.guest.commands.compose_call import Invocation, first_option, load_project
from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.docker.compose import WAIT_LIMIT, Composer
from tests.pvesim.guest.docker.compose_file import ComposeService, Project
from tests.pvesim.guest.docker.engine import Engine
from tests.pvesim.guest.docker.listing import describe_ports, show_status, show_table
from tests.pvesim.guest.docker.state import Container, DockerError
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.machine import Process
from tests.pvesim.guest.world import HANG_SECONDS

GLOBAL_VALUED = (
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--project-directory",
    "--env-file",
    "--profile",
    "--progress",
    "--ansi",
    "--parallel",
)
VERSION = "2.40.0"
FLAGS: dict[str, set[str]] = {
    "up": {"-d", "--detach", "--wait", "--remove-orphans", "--pull", "--force-recreate", "--no-recreate", "--build", "--quiet-pull",
           "--wait-timeout", "-t", "--timeout", "--no-deps", "-y", "--yes", "--no-build", "--no-color", "-V", "--renew-anon-volumes", "--no-start"},
    "pull": {"-q", "--quiet", "--ignore-pull-failures", "--policy", "--include-deps", "--ignore-buildable"},
    "down": {"-v", "--volumes", "--remove-orphans", "-t", "--timeout", "--rmi"},
    "ps": {"-a", "--all", "-q", "--quiet", "--format", "--services", "--status", "--filter", "--no-trunc"},
    "logs": {"-f", "--follow", "-n", "--tail", "-t", "--timestamps", "--no-color", "--no-log-prefix", "--since"},
    "config": {"-q", "--quiet", "--services", "--images", "--volumes", "--format", "--no-interpolate", "-o", "--hash"},
    "stop": {"-t", "--timeout"},
    "restart": {"-t", "--timeout", "--no-deps"},
    "exec": {"-T", "-d", "-u", "-w", "-e", "--no-TTY", "--user", "--index", "--env", "--workdir", "--privileged"},
    "version": {"--short", "-f", "--format"},
    "rm": {"-f", "--force", "-s", "--stop", "-v", "--volumes"},
}  # fmt: skip
VALUED = ("--pull", "--format", "-t", "--timeout", "--wait-timeout", "-n", "--tail", "--status", "--filter", "--policy", "--rmi",
          "--since", "-o", "--hash", "--index")  # fmt: skip


def split_globals(args: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The options before the action (repeatable), and the rest."""
    found: dict[str, list[str]] = {}
    rest = list(args)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in GLOBAL_VALUED:
            found.setdefault(name, []).append(value if equals else (rest.pop(0) if rest else ""))
        else:
            found.setdefault(word, [])
    return found, rest


async def run_compose(process: Process, args: list[str]) -> int:
    """Run a compose command line (without the word `compose`)."""
    assert isinstance(process.machine, Guest)
    given, rest = split_globals(args)
    action = rest[0] if rest else ("version" if {"--version", "-v"} & set(given) else "")
    if action not in ACTIONS:
        return process.complain(
            f'unknown docker command: "compose {action}"'
            if action
            else "Usage:  docker compose [OPTIONS] COMMAND",
            int(bool(action)),
        )
    if action == "exec":
        options, names = _split_exec(rest[1:])
    else:
        options, names = split_options(rest[1:], valued=VALUED)
    unknown = set(options) - FLAGS.get(action, set())
    if unknown:
        flag = min(unknown)
        text = (
            f"unknown flag: {flag}"
            if flag.startswith("--")
            else f"unknown shorthand flag: '{flag[1:]}' in {flag}"
        )
        return process.complain(f"{text}\n\nUsage:  docker compose {action} [OPTIONS] [SERVICE...]", 1)
    engine = Engine(process.machine, process.world)
    try:
        return await ACTIONS[action](Invocation(process, engine, given, action, options, names))
    except DockerError as error:
        return process.complain(str(error))


def _split_exec(words: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    while words and words[0].startswith("-"):
        word = words.pop(0)
        options[word.split("=")[0]] = words.pop(0) if word in ("-u", "-w", "-e", "--user", "--index") else ""
    return options, words


def _compose(call: Invocation) -> tuple[Composer, list[ComposeService]]:
    project = load_project(call)
    composer = Composer(call.engine, project, call.report)
    return composer, composer.select(call.names, set(call.globals.get("--profile", [])))


async def show_version(call: Invocation) -> int:
    if call.has("--short"):
        return call.process.say(VERSION)
    if call.options.get("--format") == "json":
        return call.process.say(json.dumps({"version": f"v{VERSION}"}))
    return call.process.say(f"Docker Compose version v{VERSION}")


async def show_config(call: Invocation) -> int:
    project = load_project(call)
    if call.has("-q", "--quiet"):
        return 0
    if call.has("--services"):
        return call.process.say("\n".join(service.name for service in project.services))
    if call.has("--images"):
        return call.process.say("\n".join(service.image for service in project.services))
    document = {"name": project.name, **project.document}
    if call.options.get("--format") == "json":
        return call.process.say(json.dumps(document))
    return call.process.say(yaml.safe_dump(document, sort_keys=False), end="")


async def pull_images(call: Invocation) -> int:
    call.engine.check_daemon()
    composer, services = _compose(call)
    await composer.pull(services)
    return 0


async def start_up(call: Invocation) -> int:
    composer, services = _compose(call)
    call.engine.check_daemon()
    await composer.up(
        services,
        pull=call.options.get("--pull", "missing"),
        recreate=call.has("--force-recreate"),
        orphans=call.has("--remove-orphans"),
    )
    await call.process.world.settle_guest(call.engine.guest)
    if not call.has("-d", "--detach", "--wait", "--no-start"):
        call.process.say(f"Attaching to {', '.join(service.name for service in services)}")
        await asyncio.sleep(HANG_SECONDS)
    if call.has("--wait"):
        await composer.wait(services, float(call.options.get("--wait-timeout") or WAIT_LIMIT))
    return 0


def _containers(call: Invocation) -> list[Container]:
    """The project's containers, also when its file is gone but `-p` names it."""
    call.engine.check_daemon()
    name = first_option(call, "-p", "--project-name")
    try:
        project = load_project(call).name
    except DockerError:
        if not name:
            raise
        project = name
    found = call.engine.state.of_project(project)
    return [c for c in found if not call.names or c.service in call.names]


async def take_down(call: Invocation) -> int:
    call.engine.check_daemon()
    try:
        project = load_project(call)
    except DockerError:
        name = first_option(call, "-p", "--project-name")
        if not name:
            raise
        project = Project(name, "/", (), (), {}, frozenset(), {})
    await Composer(call.engine, project, call.report).down(volumes=call.has("-v", "--volumes"))
    return 0


async def stop_containers(call: Invocation) -> int:
    for container in _containers(call):
        await call.engine.stop(container)
        call.report(f" Container {container.name} Stopped")
    return 0


async def start_containers(call: Invocation) -> int:
    for container in _containers(call):
        if call.action == "restart":
            await call.engine.stop(container, by_hand=False)
        await call.engine.start(container)
        call.report(f" Container {container.name} Started")
    return 0


async def remove_containers(call: Invocation) -> int:
    for container in _containers(call):
        if call.has("-s", "--stop"):
            await call.engine.stop(container)
        if not container.is_up():
            call.engine.remove(container)
    return 0


async def list_containers(call: Invocation) -> int:
    shown = [c for c in _containers(call) if c.is_up() or c.state == "restarting" or call.has("-a", "--all")]
    if status := call.options.get("--status"):
        shown = [c for c in shown if c.state == status]
    if call.has("-q", "--quiet"):
        return call.process.say("\n".join(c.id for c in shown)) if shown else 0
    if call.has("--services"):
        return call.process.say("\n".join(c.service for c in shown)) if shown else 0
    now = call.process.world.clock()
    if call.options.get("--format") == "json":
        for container in shown:
            call.process.say(json.dumps(_describe(container, now)))
        return 0
    rows = [(c.name, c.image, c.service, show_status(c, now), describe_ports(c)) for c in shown]
    return call.process.say(show_table(("NAME", "IMAGE", "SERVICE", "STATUS", "PORTS"), rows))


def _describe(container: Container, now: float) -> dict[str, object]:
    return {
        "ID": container.id[:12],
        "Name": container.name,
        "Names": container.name,
        "Image": container.image,
        "Project": container.project,
        "Service": container.service,
        "State": container.state,
        "Status": show_status(container, now),
        "Health": container.health(now),
        "ExitCode": container.exit_code,
        "Ports": describe_ports(container),
        "Publishers": [
            {"URL": p.ip, "TargetPort": p.target, "PublishedPort": p.published, "Protocol": p.proto}
            for p in container.ports
        ],
    }


async def show_logs(call: Invocation) -> int:
    limit = call.options.get("--tail") or call.options.get("-n") or "all"
    since = call.options.get("--since")
    earliest = datetime.fromisoformat(re.sub(r"\.(\d{6})\d*", r".\1", since)).timestamp() if since else 0.0
    is_timed = call.has("-t") or call.has("--timestamps")
    for container in _containers(call):
        # Saved states of earlier releases have lines without a time.
        untimed = [container.started_at] * (len(container.logs) - len(container.logged_at))
        lines = zip([*untimed, *container.logged_at], container.logs, strict=True)
        found = [each for each in lines if each[0] >= earliest]
        for at, line in found if limit == "all" else found[-int(limit) :] if int(limit) else []:
            time = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}000Z " if is_timed else ""
            prefix = "" if call.has("--no-log-prefix") else f"{container.service}-1  | "
            call.process.say(f"{prefix}{time}{line}")
    return 0


async def run_inside(call: Invocation) -> int:
    from tests.pvesim.guest.commands.docker import exec_in_container

    service, words = call.names[0], call.names[1:]
    call.names = [service]
    found = _containers(call)
    if not found or not found[0].is_up():
        raise DockerError(f'service "{service}" is not running')
    return await exec_in_container(call.process, found[0], words)


async def list_projects(call: Invocation) -> int:
    call.engine.check_daemon()
    names = sorted({c.project for c in call.engine.state.containers.values() if c.project})
    rows = [(n, f"running({sum(c.is_up() for c in call.engine.state.of_project(n))})") for n in names]
    return call.process.say(show_table(("NAME", "STATUS"), rows))


ACTIONS = {
    "version": show_version,
    "config": show_config,
    "pull": pull_images,
    "up": start_up,
    "down": take_down,
    "stop": stop_containers,
    "kill": stop_containers,
    "start": start_containers,
    "restart": start_containers,
    "rm": remove_containers,
    "ps": list_containers,
    "logs": show_logs,
    "exec": run_inside,
    "ls": list_projects,
}
