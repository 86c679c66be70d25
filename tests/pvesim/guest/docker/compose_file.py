"""Reading and validating a compose file as `docker compose` does."""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.pvesim.guest.docker.compose_schema import check_keys
from tests.pvesim.guest.docker.env_file import parse_env_file
from tests.pvesim.guest.docker.interpolation import interpolate
from tests.pvesim.guest.docker.mounts import read_mounts
from tests.pvesim.guest.docker.ports import read_ports
from tests.pvesim.guest.docker.state import DockerError, Mount, Port
from tests.pvesim.guest.filesystem import FileSystem

PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
RESTARTS = re.compile(r"no|always|unless-stopped|on-failure(:\d+)?")
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ComposeService:
    """A service, checked."""

    name: str
    image: str
    container_name: str = ""
    restart: str = "no"
    network_mode: str = ""
    has_health: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    depends_on: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """A compose project, checked: its services in the order of starting."""

    name: str
    directory: str
    files: tuple[str, ...]
    services: tuple[ComposeService, ...]
    volumes: Mapping[str, str]
    external_volumes: frozenset[str]
    document: dict[str, Any]


@dataclass(slots=True)
class Loader:
    """Loads one project."""

    fs: FileSystem
    directory: str
    variables: Mapping[str, str]
    warn: Warn

    def load(self, texts: Mapping[str, str], *, name: str | None) -> Project:
        """The project of these files (path to text), later ones overriding earlier ones.

        Raises:
            DockerError: as compose refuses it.
        """
        document: dict[str, Any] = {}
        for path, text in texts.items():
            document = merge(document, self._parse(path, text))
        return self._check(document, tuple(texts), name)

    def _parse(self, path: str, text: str) -> dict[str, Any]:
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f"line {mark.line + 1}: " if mark else ""
            raise DockerError(f"yaml: {line}{getattr(error, 'problem', None) or error}") from error
        if document is None:
            raise DockerError("empty compose file")
        if not isinstance(document, dict):
            raise DockerError("top-level object must be a mapping")
        if "version" in document:
            self.warn(
                f"{path}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion"
            )
        interpolated: dict[str, Any] = interpolate(document, self.variables, where="", warn=self.warn)
        check_keys(path, interpolated)
        return interpolated

    def _check(self, document: dict[str, Any], files: tuple[str, ...], name: str | None) -> Project:
        project = name or document.get("name") or normalise_name(posixpath.basename(self.directory))
        if not PROJECT_NAME.fullmatch(str(project)):
            raise DockerError(
                f'invalid project name "{project}": must consist only of lowercase alphanumeric characters, hyphens, and '
                "underscores as well as start with a letter or number",
            )
        volumes = document.get("volumes") or {}
        named = {
            key: str((options or {}).get("name") or f"{project}_{key}") for key, options in volumes.items()
        }
        external = frozenset(key for key, options in volumes.items() if (options or {}).get("external"))
        named.update({key: str((volumes[key] or {}).get("name") or key) for key in external})
        services = document.get("services") or {}
        if not services:
            raise DockerError("no service selected")
        parsed = {key: self._read_service(key, fields or {}, named) for key, fields in services.items()}
        self._check_references(parsed, document)
        return Project(str(project), self.directory, files, sort_services(parsed), named, external, document)

    def _read_service(self, key: str, fields: dict[str, Any], volumes: Mapping[str, str]) -> ComposeService:
        if not fields.get("image") and not fields.get("build"):
            raise DockerError(
                f'service "{key}" has neither an image nor a build context specified: invalid compose project'
            )
        restart = str(fields.get("restart", "no")) if fields.get("restart") is not False else "no"
        if not RESTARTS.fullmatch(restart):
            raise DockerError(f"services.{key}.restart: invalid restart policy: unknown policy '{restart}'")
        health = fields.get("healthcheck") or {}
        return ComposeService(
            name=key,
            image=str(fields.get("image") or f"{normalise_name(posixpath.basename(self.directory))}-{key}"),
            container_name=str(fields.get("container_name") or ""),
            restart=restart.partition(":")[0],
            network_mode=str(fields.get("network_mode") or ""),
            has_health=bool(health) and not health.get("disable"),
            environment=self._read_environment(key, fields),
            labels=read_pairs(fields.get("labels")),
            command=_read_command(fields.get("command") or fields.get("entrypoint")),
            ports=tuple(read_ports(key, fields.get("ports") or [])),
            mounts=tuple(read_mounts(key, fields.get("volumes") or [], volumes, directory=self.directory)),
            depends_on=tuple(fields.get("depends_on") or ()),
            profiles=tuple(fields.get("profiles") or ()),
            devices=tuple(str(device) for device in fields.get("devices") or ()),
        )

    def _read_environment(self, key: str, fields: dict[str, Any]) -> dict[str, str]:
        environment: dict[str, str] = {}
        listed = fields.get("env_file") or []
        for entry in [listed] if isinstance(listed, str | dict) else listed:
            path, required = (
                (entry["path"], entry.get("required", True)) if isinstance(entry, dict) else (entry, True)
            )
            full = posixpath.normpath(posixpath.join(self.directory, path))
            if self.fs.is_file(full):
                environment.update(parse_env_file(self.fs.read(full).decode(), variables=self.variables))
            elif required:
                raise DockerError(f"env file {full} not found: stat {full}: no such file or directory")
        return {**environment, **read_pairs(fields.get("environment"), missing=self.variables)}

    def _check_references(self, services: Mapping[str, ComposeService], document: dict[str, Any]) -> None:
        networks = {"default", *(document.get("networks") or {})}
        for key, service in services.items():
            for other in service.depends_on:
                if other not in services:
                    raise DockerError(
                        f'service "{key}" depends on undefined service "{other}": invalid compose project'
                    )
            wanted = document["services"][key].get("networks") or []
            for network in wanted:
                if network not in networks:
                    raise DockerError(
                        f'service "{key}" refers to undefined network {network}: invalid compose project'
                    )
            if service.network_mode and wanted:
                raise DockerError(
                    f"service {key} declares mutually exclusive `network_mode` and `networks`: invalid compose project"
                )


def read_pairs(value: Any, *, missing: Mapping[str, str] | None = None) -> dict[str, str]:
    """A mapping or a list of `NAME=value` as texts; a name alone takes its value from `missing`."""
    pairs: dict[str, str] = {}
    items = (
        value.items()
        if isinstance(value, dict)
        else [str(entry).partition("=")[::2] for entry in value or []]
    )
    alone = (
        set() if isinstance(value, dict) else {str(entry) for entry in value or [] if "=" not in str(entry)}
    )
    for name, content in items:
        if content is None or name in alone:
            if missing and name in missing:
                pairs[name] = missing[name]
            continue
        pairs[str(name)] = str(content).lower() if isinstance(content, bool) else str(content)
    return pairs


def _read_command(value: Any) -> tuple[str, ...]:
    return tuple(value.split()) if isinstance(value, str) else tuple(str(word) for word in value or ())


def sort_services(services: Mapping[str, ComposeService]) -> tuple[ComposeService, ...]:
    """The services, each after those that it depends on.

    Raises:
        DockerError: they depend on each other in a circle.
    """
    done: dict[str, ComposeService] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            raise DockerError(f"dependency cycle detected: {' -> '.join((*trail, name))}")
        for other in services[name].depends_on:
            if other in services and other not in done:
                visit(other, (*trail, name))
        done.setdefault(name, services[name])

    for name in services:
        visit(name, ())
    return tuple(done.values())


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Two compose documents as one: mappings merge, lists append, the rest is replaced."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = merge(old, value)
        elif isinstance(old, list) and isinstance(value, list) and key != "command":
            merged[key] = [*old, *(v for v in value if v not in old)]
        else:
            merged[key] = value
    return merged


def normalise_name(text: str) -> str:
    """A directory's name as a project's."""
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-")
