"""The `docker` command."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from tests.pvesim.guest.commands.compose import run_compose
from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.docker.compose_file import read_pairs
from tests.pvesim.guest.docker.contained import Contained
from tests.pvesim.guest.docker.engine import Engine, Report
from tests.pvesim.guest.docker.listing import describe, describe_ports, inspect, show_status, show_table
from tests.pvesim.guest.docker.mounts import split_short
from tests.pvesim.guest.docker.ports import read_short
from tests.pvesim.guest.docker.state import VOLUMES, Container, DockerError, Mount
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


def render_template(form: str, facts: dict[str, Any]) -> str:
    """`{{.Names}} {{json .State}}` filled in; `json` is the whole as JSON."""
    if form == "json":
        return json.dumps(facts)

    def fill(match: re.Match[str]) -> str:
        value: Any = facts
        for name in match["path"].strip(".").split(".") if match["path"].strip(".") else ():
            if not isinstance(value, dict) or name not in value:
                raise DockerError(
                    f'template parsing error: template: :1:2: executing "" at <.{name}>: map has no entry for key "{name}"'
                )
            value = value[name]
        if match["json"]:
            return json.dumps(value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    return re.sub(r"\{\{\s*(?P<json>json\s+)?(?P<path>\.[\w.]*)\s*\}\}", fill, form).replace("\\t", "\t")


async def pull_image(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    options, names = split_options(args, valued=("--platform",))
    await engine.pull(names[0], (lambda _: None) if "-q" in options else _make_report(process))
    return process.say(f"Status: Downloaded newer image for {engine.canonical(names[0])}")


def _make_report(process: Process) -> Report:
    def report(line: str) -> None:
        process.complain(line)

    return report


async def list_images(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    options, names = split_options(args, valued=VALUED)
    shown = {
        name: digest for name, digest in engine.state.images.items() if not names or name.startswith(names[0])
    }
    if {"-q", "--quiet"} & set(options):
        return process.say("\n".join(d.removeprefix("sha256:")[:12] for d in shown.values())) if shown else 0
    rows = [
        (*name.rpartition(":")[::2], digest.removeprefix("sha256:")[:12]) for name, digest in shown.items()
    ]
    if form := options.get("--format"):
        for repository, tag, number in rows:
            process.say(
                render_template(form, {"Repository": repository, "Tag": tag, "ID": number, "Size": "120MB"})
            )
        return 0
    return process.say(show_table(("REPOSITORY", "TAG", "IMAGE ID"), rows))


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
                found.append(inspect(engine.find(name), process.world.clock()))
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


async def run_container(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    given, words = _split_run(args)
    image = words[0]
    if not engine.has_image(image):
        process.complain(f"Unable to find image '{image}' locally")
        await engine.pull(image, _make_report(process))
    name = given.get("--name", [f"container{len(engine.state.containers) + 1}"])[0]
    container = Container(
        name=name,
        image=image,
        restart=given.get("--restart", ["no"])[0],
        network_mode=given.get("--network", [""])[0],
        environment=read_pairs(given.get("-e")),
        labels=read_pairs(given.get("-l")),
        command=words[1:],
        ports=[port for text in given.get("-p", []) for port in read_short(text)],
        mounts=[_read_mount(text) for text in given.get("-v", [])],
    )
    engine.add(container)
    await engine.start(container)
    if "hello-world" in image:
        process.say(
            "\nHello from Docker!\nThis message shows that your installation appears to be working correctly."
        )
    if "--rm" in given and "-d" not in given:
        engine.remove(container)
    return process.say(container.id) if "-d" in given else container.exit_code


def _split_run(args: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    same = {
        "--publish": "-p",
        "--volume": "-v",
        "--env": "-e",
        "--label": "-l",
        "--net": "--network",
        "--detach": "-d",
    }
    given: dict[str, list[str]] = {}
    rest = list(args)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        flag = same.get(name, name)
        takes = flag in (
            "-p",
            "-v",
            "-e",
            "-l",
            "--name",
            "--restart",
            "--network",
            "--hostname",
            "-w",
            "-u",
            "--memory",
        )
        given.setdefault(flag, []).append(value if equals or not takes else rest.pop(0))
    return given, rest


def _read_mount(text: str) -> Mount:
    source, target, read_only = split_short(text)
    if source.startswith("/"):
        return Mount(source, target, "bind", "", read_only)
    return Mount(f"{VOLUMES}/{source}/_data", target, "volume", source, read_only)


async def load_images(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    options, _ = split_options(args, valued=VALUED)
    source = options.get("-i") or options.get("--input") or "-"
    data = await process.read_file(source)
    if not data:
        raise DockerError("unexpected EOF")
    name = engine.canonical(
        source.rpartition("/")[2].removesuffix(".tar").removesuffix(".tar.gz") or "loaded"
    )
    engine.state.images[name] = "sha256:" + "0" * 64
    return process.say(f"Loaded image: {name}")


async def remove_images(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    for name in split_options(args)[1]:
        if engine.state.images.pop(engine.canonical(name), None) is None:
            raise DockerError(f"Error response from daemon: No such image: {engine.canonical(name)}")
    return 0


async def list_volumes(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    names = sorted(engine.state.volumes)
    if "-q" in args:
        return process.say("\n".join(names)) if names else 0
    return process.say(show_table(("DRIVER", "VOLUME NAME"), [("local", name) for name in names]))


async def list_networks(process: Process, engine: Engine, args: list[str]) -> int:
    engine.check_daemon()
    return process.say("\n".join(["bridge", "host", "none", *engine.state.networks]))


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
