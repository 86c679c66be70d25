"""`docker run`, and what is done with images, volumes and networks."""

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.docker.compose_file import read_pairs
from tests.pvesim.guest.docker.engine import Engine, Report
from tests.pvesim.guest.docker.listing import render_template, show_table
from tests.pvesim.guest.docker.mounts import split_short
from tests.pvesim.guest.docker.ports import read_short
from tests.pvesim.guest.docker.state import VOLUMES, Container, DockerError, Mount
from tests.pvesim.guest.machine import Process

VALUED = ("--format", "-f", "--filter", "-i", "--input")


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
        ids = [d if "--no-trunc" in options else d.removeprefix("sha256:")[:12] for d in shown.values()]
        return process.say("\n".join(ids)) if ids else 0
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
