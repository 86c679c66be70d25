"""What deploy/compose.yaml says, as processes of this machine.

Each service gets an address of its own in 127.0.0.0/8, as it has in its container; absolute paths lie below a folder
that stands for the container's root. Commands, environment and files are the ones of the file.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "deploy" / "compose.yaml"
DEVELOPMENT = ROOT / "deploy" / "compose.dev.yaml"
_PATHS = ("/run/secrets", "/run/tls", "/etc/nats", "/data")
_IMAGE_ENVIRONMENT = {"LISTEN": "0.0.0.0:50051"}  # ENV of deploy/Dockerfile


@dataclass(frozen=True)
class Process:
    """One service of the file as a process."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    needs: dict[str, str]  # service -> condition
    health: str = ""  # the address that the file's own check asks


def read_compose(environ: Mapping[str, str], file: Path = COMPOSE) -> dict[str, Any]:
    """The file with its variables replaced and its anchors merged."""
    text = re.sub(
        r"\$\{(\w+):-([^}]*)\}", lambda found: environ.get(found[1]) or found[2], file.read_text("utf-8")
    )
    document: dict[str, Any] = yaml.safe_load(text)
    return document


class Translator:
    """Names, addresses and paths of containers -> those of this machine."""

    def __init__(self, names: list[str], container_root: Path, *, third: int) -> None:
        self._addresses = {name: f"127.88.{third}.{number}" for number, name in enumerate(names, start=1)}
        self._root = container_root

    @property
    def temporary(self) -> Path:
        """The directory that stands for /tmp of every container; Envoy's admin listens there."""
        return self._root / "tmp"

    def address_of(self, name: str) -> str:
        """The address that stands for the container of a service."""
        return self._addresses[name]

    def translate(self, text: str, *, inside: str) -> str:
        """A value as the container of the service `inside` sees it."""
        text = re.sub(r"\b(0\.0\.0\.0|127\.0\.0\.1)(?=:\d)", self._addresses[inside], text)
        text = re.sub(
            r"(?<![\w.-])([a-z]+)(?=:\d)",
            lambda found: self._addresses.get(found[1], found[1]),
            text,
        )
        return re.sub(rf"(?<![\w.])({'|'.join(_PATHS)})\b", rf"{self._root}\1", text)


def list_processes(document: Mapping[str, Any], translator: Translator) -> list[Process]:
    """Every process of ours that starts without a profile, NATS too; PostgreSQL is another's image."""
    found = []
    for name, service in document["services"].items():
        if "profiles" in service or name == "postgres":
            continue
        environment = dict(service.get("environment", {}))
        kind = service.get("build", {}).get("target", "")
        if kind == "service":
            environment = _IMAGE_ENVIRONMENT | environment
            environment["PROXIMITY_SERVICE"] = service["build"]["args"]["SERVICE"]
        found.append(
            Process(
                name,
                (
                    *_find_program(name, kind),
                    *(translator.translate(each, inside=name) for each in service["command"]),
                ),
                _base_environment(translator.temporary)
                | {
                    key: translator.translate("" if value is None else str(value), inside=name)
                    for key, value in environment.items()
                },
                {
                    need: how["condition"]
                    for need, how in service.get("depends_on", {}).items()
                    if need != "postgres"
                },
                translator.translate(service.get("healthcheck", {}).get("test", [""])[-1], inside=name),
            )
        )
    return found


def _find_program(name: str, kind: str) -> tuple[str, ...]:
    if name == "nats":
        return (str(Path(sysconfig.get_path("scripts")) / "nats-server"),)
    return (sys.executable, "-m", {"service": "services", "gateway": "gateway"}[kind])


def _base_environment(temporary: Path) -> dict[str, str]:
    return {
        "TMPDIR": str(temporary),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
