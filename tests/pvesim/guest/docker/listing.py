"""How Docker shows containers."""

import json
import re
from collections.abc import Sequence
from typing import Any

from tests.pvesim.guest.docker.state import Container, DockerError


def show_status(container: Container, now: float) -> str:
    """`Up 5 seconds (healthy)`, `Exited (1) 3 seconds ago`."""
    seconds = max(0, int(now - container.started_at))
    if container.state == "running":
        health = container.health(now)
        shown = {"starting": " (health: starting)", "healthy": " (healthy)"}.get(health, "")
        return f"Up {seconds} seconds{shown}"
    if container.state == "restarting":
        return f"Restarting ({container.exit_code}) {seconds} seconds ago"
    return (
        "Created" if container.state == "created" else f"Exited ({container.exit_code}) {seconds} seconds ago"
    )


def describe_ports(container: Container) -> str:
    """`0.0.0.0:8080->80/tcp`."""
    if not container.is_up():
        return ""
    return ", ".join(f"{p.ip}:{p.published}->{p.target}/{p.proto}" for p in container.ports)


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under a head."""
    widths = [max(len(row[i]) for row in [head, *rows]) + 3 for i in range(len(head))]
    return "\n".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    )


def describe(container: Container, now: float) -> dict[str, object]:
    """A container as `docker ps --format json` has it."""
    return {
        "ID": container.id[:12],
        "Image": container.image,
        "Names": container.name,
        "State": container.state,
        "Status": show_status(container, now),
        "Ports": describe_ports(container),
        "Labels": ",".join(f"{k}={v}" for k, v in container.labels.items()),
        "Mounts": ",".join(m.name or m.source for m in container.mounts),
        "Command": '"' + " ".join(container.command) + '"',
        "CreatedAt": "",
        "RunningFor": f"{max(0, int(now - container.started_at))} seconds ago",
        "Networks": f"{container.project}_default" if container.project else "bridge",
        "Size": "0B",
        "LocalVolumes": str(sum(m.kind == "volume" for m in container.mounts)),
    }


def inspect(container: Container, now: float) -> dict[str, object]:
    """A container as `docker inspect` has it, as far as is read by others."""
    state: dict[str, object] = {
        "Status": container.state,
        "Running": container.is_up(),
        "Restarting": container.state == "restarting",
        "ExitCode": container.exit_code,
    }
    if health := container.health(now):
        state["Health"] = {"Status": health}
    ports = {
        f"{p.target}/{p.proto}": [{"HostIp": p.ip, "HostPort": str(p.published)}] for p in container.ports
    }
    return {
        "Id": container.id,
        "Name": f"/{container.name}",
        "Image": container.image,
        "State": state,
        "RestartCount": 0,
        "Config": {
            "Image": container.image,
            "Labels": container.labels,
            "Env": [f"{k}={v}" for k, v in container.environment.items()],
            "Hostname": container.id[:12],
        },
        "HostConfig": {
            "RestartPolicy": {"Name": container.restart},
            "PortBindings": ports,
            "NetworkMode": container.network_mode,
        },
        "NetworkSettings": {"Ports": ports if container.is_up() else {}},
        "Mounts": [
            {
                "Type": m.kind,
                "Name": m.name,
                "Source": m.source,
                "Destination": m.target,
                "RW": not m.read_only,
            }
            for m in container.mounts
        ],
    }


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
