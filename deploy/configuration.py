"""`python -m deploy.configuration write | check`: the table of every variable, and whether the environment is valid.

The settings classes say what there is: `write` makes docs/configuration.md, .env.example and the settings in compose.yaml of them, `check` reads the
environment as every process would and names each fault once.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.composing import render_files
from deploy.local.settings import LocalSettings
from gateway import environment as gateway_environment
from services.common.core.config import ConfigError, ServiceSettings, read_settings
from services.common.core.environment import explain_replaced, find_misspelt
from services.registry import GATEWAY, SERVICES

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / ".env.example"
_RUNNER = "make run"
_ELSEWHERE = {
    "PROXIMITY_SERVICE",  # of an image: which service it holds
    *("PROXIMITY_URL", "PROXIMITY_TOKEN", "PROXIMITY_CONFIG_DIR"),  # of the command line
}


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable and who reads it."""

    name: str
    default: str
    doc: str
    secret: bool
    readers: tuple[str, ...]


def list_classes() -> dict[str, type[Any]]:
    """The settings of each process by its name."""
    found: dict[str, type[Any]] = {_RUNNER: LocalSettings}
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.config")
        found[service] = next(
            each
            for each in vars(module).values()
            if isinstance(each, type)
            and issubclass(each, ServiceSettings)
            and each.__module__ == module.__name__  # not a base class that the module imports
        )
    return found


def list_variables() -> list[Variable]:
    """Every variable, by name; the words are those of the services where the runner passes it on."""
    found: dict[str, Variable] = {}
    for reader, kind in list_classes().items():
        for metadata in _list_metadata(kind):
            name = metadata["name"]
            earlier = found.get(name)
            readers = (*(earlier.readers if earlier else ()), reader)
            found[name] = Variable(name, _render(metadata), metadata["doc"], metadata["secret"], readers)
    for variable in gateway_environment.VARIABLES:
        earlier = found.get(variable.name)
        if earlier:
            found[variable.name] = dataclasses.replace(earlier, readers=(*earlier.readers, GATEWAY))
        else:
            default = variable.default or "none"
            found[variable.name] = Variable(
                variable.name, default, variable.doc, secret=False, readers=(GATEWAY, _RUNNER)
            )
    return sorted(found.values(), key=lambda variable: variable.name)


def list_names() -> set[str]:
    """The name of every variable that something of ours reads."""
    return {each.name for each in list_variables()} | _ELSEWHERE


def _list_metadata(kind: type[Any]) -> Iterator[Mapping[str, Any]]:
    for field in dataclasses.fields(kind):
        if "name" in field.metadata:
            yield field.metadata


def _render(metadata: Mapping[str, Any]) -> str:
    default = metadata["default"]
    if default is dataclasses.MISSING:
        return "required"
    if isinstance(default, tuple | frozenset):
        return ",".join(map(str, default)) or "none"
    if isinstance(default, Path) and default.is_absolute():
        return str(default.relative_to(ROOT))
    return "none" if default in {"", None} else str(default)


def render_table() -> str:
    """docs/configuration.md."""
    lines = [
        "# Configuration",
        "Made by `make configuration` from the settings of every process; `make check-config` reads the environment and",
        "names each fault. Any variable can be read from a file instead: `SECRET_KEY_FILE=/run/secrets/key`. A variable",
        "that begins with `PROXIMITY_` and is not in this table, or is a known name misspelt, is refused. `REDIS_URL` and",
        "`CELERY_*` of an old installation have no effect, and the processes say so.",
        "",
        "| variable | default | for | read by |",
        "|---|---|---|---|",
    ]
    for each in list_variables():
        readers = "all services" if set(SERVICES) <= set(each.readers) else ", ".join(each.readers)
        if "all services" in readers:
            readers = ", ".join([readers, *(other for other in (GATEWAY, _RUNNER) if other in each.readers)])
        default = "required" if each.default == "required" else f"`{each.default}`"
        marked = " Secret." if each.secret else ""
        lines.append(f"| `{each.name}` | {default} | {each.doc}{marked} | {readers} |")
    return "\n".join(lines) + "\n"


def render_example() -> str:
    """.env.example: every variable, commented out, with its default."""
    lines = [
        "# Every variable with its default; docs/configuration.md says who reads it. Copy what you change to .env."
    ]
    for each in list_variables():
        value = "" if each.default in {"none", "required"} or each.secret else each.default
        lines += ["", f"# {each.doc}", f"#{each.name}={value}"]
    return "\n".join(lines) + "\n"


def render_deployments() -> dict[Path, str]:
    """The files of Compose and Kubernetes with every service and its settings."""
    return render_files({each.name: each.readers for each in list_variables()})


def check_local(environ: Mapping[str, str], settings: LocalSettings) -> list[str]:
    """What is wrong with an environment for `make run`, which generates what is not set."""
    generated = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PROXIMITY_ADMIN_USERNAME": settings.admin_username,
        "PROXIMITY_ADMIN_PASSWORD": secrets.token_urlsafe(24),
    }
    missing = {
        name: value
        for name, value in generated.items()
        if not (environ.get(name) or environ.get(f"{name}_FILE"))
    }
    given = {**environ, **missing}
    if settings.is_simulated:  # the simulated host takes the place of what the environment says
        given = {name: value for name, value in given.items() if not name.startswith("PROXMOX_")}
    return check_environment(given)[0]


def check_environment(environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What is wrong with an environment, and what has no effect."""
    faults = find_misspelt(environ, list_names())
    for kind in list_classes().values():
        try:
            read_settings(kind, environ)
        except ConfigError as error:
            faults += [fault for fault in error.faults if fault not in faults]
    faults += [
        fault for fault in _check_gateway(environ) if fault.partition(":")[0] not in _list_names(faults)
    ]
    return faults, explain_replaced(environ)


def _check_gateway(environ: Mapping[str, str]) -> list[str]:
    try:
        gateway_environment.read_environment(environ)
    except ValueError as error:
        return str(error).splitlines()
    return []


def _list_names(faults: list[str]) -> set[str]:
    """Variables that have a fault already: two readers of one variable say the same in different words."""
    return {fault.partition(":")[0] for fault in faults}


def main(arguments: list[str]) -> int:
    """Run one command: 0, 1 with faults on standard error, 2 for an unknown command."""
    if arguments == ["write"]:
        TABLE.write_text(render_table(), encoding="utf-8")
        EXAMPLE.write_text(render_example(), encoding="utf-8")
        for path, text in render_deployments().items():
            path.write_text(text, encoding="utf-8")
        return 0
    if arguments == ["check"]:
        faults, notices = check_environment(os.environ)
        sys.stderr.writelines(f"{line}\n" for line in (*notices, *faults))
        sys.stdout.write("" if faults else "the configuration is valid\n")
        return 1 if faults else 0
    sys.stderr.write(f"{__doc__}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
