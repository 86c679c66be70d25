"""A compose command line and the project that it names."""

import posixpath
import time
from dataclasses import dataclass

from tests.pvesim.guest.docker.compose_file import Loader, Project
from tests.pvesim.guest.docker.engine import Engine
from tests.pvesim.guest.docker.env_file import parse_env_file
from tests.pvesim.guest.docker.state import DockerError
from tests.pvesim.guest.machine import Process

DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@dataclass(slots=True)
class Invocation:
    """A compose command line, taken apart."""

    process: Process
    engine: Engine
    globals: dict[str, list[str]]
    action: str
    options: dict[str, str]
    names: list[str]

    def has(self, *flags: str) -> bool:
        return any(flag in self.options for flag in flags)

    def report(self, line: str) -> None:
        self.process.complain(line)


def load_project(call: Invocation, *, optional: bool = False) -> Project:
    """The project that the command line names.

    Raises:
        DockerError: no file, or a file that compose refuses.
    """
    process = call.process
    named = [
        process.path(name) for key in ("-f", "--file") for name in call.globals.get(key, []) if name != "-"
    ]
    files = named or _find_default(process, first_option(call, "--project-directory"))
    for path in files:
        if not process.fs.is_file(path):
            raise DockerError(f"open {path}: no such file or directory")
    directory = process.fs.locate(
        process.path(first_option(call, "--project-directory") or posixpath.dirname(files[0]))
    )
    variables = {**_read_env(call, directory), **process.env}
    loader = Loader(process.fs, directory, variables, _make_warner(process))
    name = first_option(call, "-p", "--project-name") or variables.get("COMPOSE_PROJECT_NAME")
    return loader.load({path: process.fs.read(path).decode(errors="replace") for path in files}, name=name)


def first_option(call: Invocation, *names: str) -> str | None:
    return next((values[-1] for name in names if (values := call.globals.get(name))), None)


def _find_default(process: Process, directory: str | None) -> list[str]:
    base = process.path(directory or ".")
    for name in DEFAULT_FILES:
        path = posixpath.normpath(posixpath.join(base, name))
        if process.fs.is_file(path):
            override = path.replace(".y", ".override.y")
            return [path, override] if process.fs.is_file(override) else [path]
    raise DockerError("no configuration file provided: not found")


def _read_env(call: Invocation, directory: str) -> dict[str, str]:
    named = [call.process.path(name) for name in call.globals.get("--env-file", [])]
    variables: dict[str, str] = {}
    for path in named or [f"{directory}/.env"]:
        if call.process.fs.is_file(path):
            variables.update(
                parse_env_file(
                    call.process.fs.read(path).decode(errors="replace"), variables=call.process.env
                )
            )
        elif named:
            raise DockerError(f"couldn't find env file: {path}")
    return variables


def _make_warner(process: Process) -> "Warner":
    return Warner(process)


@dataclass(slots=True)
class Warner:
    """Prints each warning once, as compose logs it."""

    process: Process
    said: tuple[str, ...] = ()

    def __call__(self, text: str) -> None:
        if text not in self.said:
            self.said += (text,)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.process.world.clock()))
            self.process.complain(f'time="{stamp}" level=warning msg="{text}"')
