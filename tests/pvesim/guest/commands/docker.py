"""The `docker` command."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.pvesim.guest.commands.compose import run_compose
from tests.pvesim.guest.commands.docker_run import (
    list_images,
    list_networks,
    list_volumes,
    load_images,
    pull_image,
    remove_images,
    run_container,
)
from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.docker.contained import Contained
from tests.pvesim.guest.docker.engine import Engine
from tests.pvesim.guest.docker.listing import (
    describe,
    describe_ports,
    inspect,
    render_template,
    show_status,
    show_table,
)
from tests.pvesim.guest.docker.state import Container, DockerError
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.machine import Process, command
from tests.pvesim.guest.software import DOCKER_CLIENTS, brings_compose

VERSIONS = {"docker.io": "20.10.24+dfsg1", "docker-ce-cli": "28.5.1", "docker-cli": "28.3.3"}
VALUED = ("--format", "-f", "--filter", "-n", "--tail", "--name", "-p", "-v", "-e", "--restart", "--network", "-t", "--time",
          "--publish", "--volume", "--env", "-i", "--input", "--hostname", "-w", "-u", "--label", "-l", "--since")  # fmt: skip
RUN_STATUS = 125
NOT_IN_CONTAINER = 127
Action = Callable[[Process, Engine, list[str]], Awaitable[int]]


@command("docker", packages=DOCKER_CLIENTS)
async def run_docker(process: Process) -> int:
    guest = process.machine
    assert isinstance(guest, Guest)
    args = process.args
    if args[:1] in (["--version"], ["-v"]):
        return process.say(f"Docker version {_version(guest)}, build 1234567")
    name, rest = (args[0], args[1:]) if args else ("help", [])
    if name == "compose":
        if not brings_compose(guest.packages, guest.release):
            return process.complain("docker: 'compose' is not a docker command.\nSee 'docker --help'")
        return await run_compose(process, rest)
    if name in ("container", "image", "volume", "network", "system") and rest:
        name, rest = f"{name} {rest[0]}", rest[1:]
    action = ACTIONS.get(name)
    if action is None:
        return process.complain(f"docker: '{name}' is not a docker command.\nSee 'docker --help'")
    engine = Engine(guest, process.world)
    try:
        return await action(process, engine, rest)
    except DockerError as error:
        return process.complain(str(error), RUN_STATUS if name == "run" else 1)


@command("docker-compose", packages=("docker-compose", "docker-compose-plugin"))
async def run_old_compose(process: Process) -> int:
    guest = process.machine
    assert isinstance(guest, Guest)
    if "docker-compose" not in guest.packages:
        return process.complain("sh: 1: docker-compose: not found", 127)
    if not brings_compose(guest.packages, guest.release) and "--wait" in process.args:
        return process.complain(
            "Start containers for a service\n\nUsage: up [options] [--scale SERVICE=NUM...] [--] [SERVICE...]"
        )
    return await run_compose(process, process.args)


def _version(guest: Guest) -> str:
    return next(version for package, version in VERSIONS.items() if package in guest.packages)


async def show_version(process: Process, engine: Engine, args: list[str]) -> int:
    version = _version(engine.guest)
    form = split_options(args, valued=VALUED)[0].get("--format") or split_options(args, valued=VALUED)[0].get(
        "-f"
    )
    if form and "Client" in form:
        return process.say(render_template(form, {"Client": {"Version": version}}))
    if not form:
        process.say(f"Client:\n Version:           {version}")
    engine.check_daemon()
    if form:
        return process.say(
            render_template(form, {"Client": {"Version": version}, "Server": {"Version": version}})
        )
    return process.say(f"\nServer:\n Engine:\n  Version:          {version}")


async def show_info(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    up = sum(c.is_up() for c in engine.state.containers.values())
    facts = {
        "ServerVersion": _version(engine.guest),
        "Driver": "overlay2",
        "Containers": len(engine.state.containers),
        "ContainersRunning": up,
        "Images": len(engine.state.images),
        "OperatingSystem": engine.guest.flavour,
        "CgroupVersion": "2",
    }
    form = split_options(args, valued=VALUED)[0].get("--format") or split_options(args, valued=VALUED)[0].get(
        "-f"
    )
    if form:
        return process.say(render_template(form, facts))
    return process.say("\n".join(["Server:", *(f" {name}: {value}" for name, value in facts.items())]))


async def list_containers(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    options, _ = split_options(args, valued=VALUED)
    shown = [
        c
        for c in engine.state.containers.values()
        if c.state in ("running", "restarting") or {"-a", "--all"} & set(options)
    ]
    shown = [c for c in shown if _passes(c, options.get("-f") or options.get("--filter") or "")]
    now = process.world.clock()
    if {"-q", "--quiet"} & set(options):
        return process.say("\n".join(c.id[:12] for c in shown)) if shown else 0
    if form := options.get("--format"):
        for container in shown:
            process.say(render_template(form, describe(container, now)))
        return 0
    rows = [(c.id[:12], c.image, show_status(c, now), describe_ports(c), c.name) for c in shown]
    return process.say(show_table(("CONTAINER ID", "IMAGE", "STATUS", "PORTS", "NAMES"), rows))


def _passes(container: Container, condition: str) -> bool:
    name, _, value = condition.partition("=")
    if name == "label":
        key, equals, wanted = value.partition("=")
        return key in container.labels and (not equals or container.labels[key] == wanted)
    tests = {
        "name": value in container.name,
        "status": container.state == value,
        "health": True,
        "ancestor": container.image == value,
    }
    return tests.get(name, True)


async def inspect_things(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    options, names = split_options(args, valued=VALUED)
    form = options.get("--format") or options.get("-f")
    found: list[dict[str, Any]] = []
    for name in names:
        if engine.canonical(name) in engine.state.images:
            found.append(
                {"Id": engine.state.images[engine.canonical(name)], "RepoTags": [engine.canonical(name)]}
            )
        else:
            try:
                container = engine.find(name)
                found.append(
                    inspect(container, process.world.clock())
                    | {"Image": engine.find_image_id(container.image)}
                )
            except DockerError as error:
                raise DockerError(f"[]\nError: No such object: {name}") from error
    if form:
        return process.say("\n".join(render_template(form, facts) for facts in found))
    return process.say(json.dumps(found, indent=4))


async def exec_command(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    words = list(args)
    while words and words[0].startswith("-"):
        if words.pop(0) in ("-u", "-w", "-e", "--user", "--workdir", "--env"):
            words.pop(0)
    container = engine.find(words[0])
    if not container.is_up():
        raise DockerError(f"Error response from daemon: container {container.id} is not running")
    return await exec_in_container(process, container, words[1:])


async def exec_in_container(process: Process, container: Container, words: list[str]) -> int:
    """Run a program inside a Docker container: its own files, its volumes, its variables."""
    assert isinstance(process.machine, Guest)
    inner = process.derive(words)
    inner.machine = Contained(process.machine, container)
    inner.env, inner.cwd = inner.machine.login_env(), "/"
    status = await inner.machine.spawn(inner)
    if status is None:
        text = f'exec: "{words[0]}": executable file not found in $PATH: unknown'
        return process.complain(
            f"OCI runtime exec failed: exec failed: unable to start container process: {text}",
            NOT_IN_CONTAINER,
        )
    return status


async def show_logs(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    options, names = split_options(args, valued=VALUED)
    lines = engine.find(names[0]).logs
    limit = options.get("--tail") or options.get("-n") or "all"
    shown = lines if limit == "all" else lines[-int(limit) :]
    return process.say("\n".join(shown)) if shown else 0


async def change_containers(process: Process, engine: Engine, args: list[str], *, action: str) -> int:
    engine.check_daemon()
    options, names = split_options(args, valued=("-t", "--time"))
    for name in names:
        container = engine.find(name)
        if action in ("stop", "restart"):
            await engine.stop(container, by_hand=action == "stop")
        if action in ("start", "restart"):
            await engine.start(container)
        if action == "rm":
            await _remove(engine, container, options)
        process.say(name)
    return 0


async def _remove(engine: Engine, container: Container, options: dict[str, str]) -> None:
    if container.is_up() and not {"-f", "--force"} & set(options):
        raise DockerError(
            f'Error response from daemon: cannot remove container "{container.name}": container is running: stop the container before '
            "removing or force remove",
        )
    await engine.stop(container)
    engine.remove(container, volumes="-v" in options)


def _make_change(action: str) -> Action:
    async def change(process: Process, engine: Engine, args: list[str]) -> int:
        return await change_containers(process, engine, args, action=action)

    return change


async def succeed(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    return 0


ACTIONS: dict[str, Action] = {
    "version": show_version,
    "info": show_info,
    "system info": show_info,
    "pull": pull_image,
    "image pull": pull_image,
    "images": list_images,
    "image ls": list_images,
    "ps": list_containers,
    "container ls": list_containers,
    "inspect": inspect_things,
    "container inspect": inspect_things,
    "image inspect": inspect_things,
    "exec": exec_command,
    "logs": show_logs,
    "run": run_container,
    "load": load_images,
    "rmi": remove_images,
    "image rm": remove_images,
    "image prune": succeed,
    "system prune": succeed,
    "volume ls": list_volumes,
    "network ls": list_networks,
    **{name: _make_change(name) for name in ("stop", "start", "restart", "rm")},
}
