"""The parts of the files of Compose and Kubernetes that follow from the services and their settings.

A part lies between two comments that name it, and `make configuration` makes it anew; the rest is written by hand.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from protos import VERSION
from services.registry import GATEWAY, PROCESSES, REGISTRY, SERVICES, WEBSOCKET_SERVICES, RegisteredService

_DEPLOY = Path(__file__).parent
COMPOSE = _DEPLOY / "compose.yaml"
# What compose.yaml sets itself: addresses inside of its networks, and secrets that are mounted as files.
FIXED = frozenset(
    {
        *("LISTEN", "HEALTH_LISTEN", "WEBSOCKET_LISTEN", "SERVICE_KEYS_DIR", "TLS_DIR"),
        *("SECRET_KEY", "DATABASE_URL", "NATS_URL", "PROXIMITY_ADMIN_USERNAME", "PROXIMITY_ADMIN_PASSWORD"),
        *(f"{service.upper()}_ADDRESS" for service in SERVICES),
    }
)
# Where a container differs from `make run` unless the operator says otherwise: it serves metrics, in its own network.
DEFAULTS = {"METRICS_LISTEN": "0.0.0.0:9100"}
_GRPC_PORT = 50051  # in every container, whose address is its own
_WEBSOCKET_PORT = 50053
_PART = re.compile(
    r"(?P<begin>^ *# Made by `make configuration`: (?P<name>[a-z ]+)\.\n)"
    r".*?"
    r"(?P<end>^(?P<indent> *)# End of (?P=name)\.\n)",
    re.MULTILINE | re.DOTALL,
)


def render_files(readers: Mapping[str, Sequence[str]]) -> dict[Path, str]:
    """Return every file that has such parts, with its parts made anew.

    Args:
        readers: the services, and the gateway, that read each variable, by its name.

    Raises:
        LookupError: a file names a part that is not known.
    """
    parts: Mapping[Path, Mapping[str, Callable[[], str]]] = {
        COMPOSE: {
            "settings": lambda: _render_settings(readers),
            "addresses": lambda: _render_each("{NAME}_ADDRESS: {name}:{port}"),
            "services": lambda: "\n".join(map(_render_service, REGISTRY)),
            "endpoints": _render_endpoints,
            "dependencies": lambda: _render_each("{name}: {{ condition: service_healthy }}"),
            "secrets": _render_secrets,
        },
        _DEPLOY / "compose.dev.yaml": {"services": lambda: "\n".join(map(_render_development, REGISTRY))},
        _DEPLOY / "grafana" / "prometheus.compose.yaml": {"targets": _render_targets},
        _DEPLOY / "kubernetes" / "overlays" / "example" / "kustomization.yaml": {
            "images": lambda: _render_each(
                "- {{ name: proximity-{name}, newName: registry.example.org/proximity-{name} }}"
            )
        },
    }
    return {path: _fill(path.read_text("utf-8"), makers) for path, makers in parts.items()}


def _fill(text: str, makers: Mapping[str, Callable[[], str]]) -> str:
    """Return a text with its parts made anew; each must be there once."""
    found = [match["name"] for match in _PART.finditer(text)]
    if sorted(found) != sorted(makers):
        raise LookupError(f"the parts {sorted(makers)} must be there once each; found are {found}")
    return _PART.sub(
        lambda match: (
            match["begin"] + textwrap.indent(makers[match["name"]](), match["indent"]) + match["end"]
        ),
        text,
    )


def _render_each(line: str) -> str:
    return "".join(f"{line.format(name=name, NAME=name.upper(), port=_GRPC_PORT)}\n" for name in SERVICES)


def _render_settings(readers: Mapping[str, Sequence[str]]) -> str:
    passed = {name: set(readers[name]) & set(SERVICES) for name in sorted(readers) if name not in FIXED}
    common = [name for name, services in passed.items() if services == set(SERVICES)]
    blocks = [_render_block("settings", common)]
    for service in SERVICES:
        own = [name for name, services in passed.items() if service in services and name not in common]
        blocks.append(_render_block(f"settings-{service}", own))
    blocks.append(
        _render_block(f"settings-{GATEWAY}", [name for name in sorted(readers) if GATEWAY in readers[name]])
    )
    return "".join(blocks)


def _render_block(name: str, variables: Sequence[str]) -> str:
    lines = [f"  {each}: ${{{each}:-{DEFAULTS.get(each, '')}}}\n" for each in variables]
    return f"x-{name}: &{name}\n{''.join(lines)}" if lines else f"x-{name}: &{name} {{}}\n"


def _render_service(service: RegisteredService) -> str:
    """The containers of a service: one that migrates and ends, its server, its worker."""
    name, is_auth = service.name, service.name == "auth"
    secrets = [
        *("secret_key", "database_url"),
        *(f"nats_url_{process}" for process in service.processes),
        *(["admin_password"] if is_auth else []),
        f"{name}.key",
        *(f"{other}.pub" for other in SERVICES),
        *_mount_tls(name),
    ]
    outside = f"networks: [inner, {service.outside_network}]" if service.outside_network else ""
    environment = {"NATS_URL_FILE": f"/run/secrets/nats_url_{name}"}
    serving = {"WEBSOCKET_LISTEN": f'"0.0.0.0:{_WEBSOCKET_PORT}"'} if service.has_websockets else {}
    if is_auth:
        serving |= {
            "PROXIMITY_ADMIN_USERNAME": "${PROXIMITY_ADMIN_USERNAME:-admin}",
            "PROXIMITY_ADMIN_PASSWORD_FILE": "/run/secrets/admin_password",
        }
    lines = [
        f"{name}-migrate:",
        "  <<: *migrate",
        f"  build: &build-{name} {{ context: .., dockerfile: deploy/Dockerfile, target: service, args: {{ SERVICE: {name} }} }}",
        f"  image: proximity-{name}:{VERSION}",
        f"  environment: &{name}-environment",
        f"    <<: [*environment, *settings-{name}]",
        *(f"    {key}: {value}" for key, value in environment.items()),
        f"  secrets: &{name}-secrets",
        *(f"    - {secret}" for secret in secrets),
        f"{name}: &{name}",
        "  <<: *service",
        f"  build: *build-{name}",
        f"  image: proximity-{name}:{VERSION}",
        "  command: [serve]",
        "  environment:",
        f"    <<: *{name}-environment",
        *(f"    {key}: {value}" for key, value in serving.items()),
        f"  secrets: *{name}-secrets",
        *([f"  {outside}"] if outside and service.outgoing_process == name else []),
        f"  depends_on: {{ <<: *database, {name}-migrate: {{ condition: service_completed_successfully }} }}",
    ]
    if service.has_worker:
        lines += [
            f"{name}-worker:",
            f"  <<: *{name}",
            "  command: [work]",
            f"  environment: {{ <<: *{name}-environment, NATS_URL_FILE: /run/secrets/nats_url_{name}-worker }}",
            *([f"  {outside}"] if outside else []),
        ]
    return "\n".join(lines) + "\n"


def _mount_tls(name: str) -> list[str]:
    return [
        f"{{ source: tls_{file}, target: /run/tls/{file} }}"
        for file in ("ca.crt", f"{name}.crt", f"{name}.key")
    ]


def _render_endpoints() -> str:
    lines = [f"- --endpoint={name}={name}:{_GRPC_PORT}\n" for name in SERVICES]
    lines += [f"- --websockets={name}={name}:{_WEBSOCKET_PORT}\n" for name in WEBSOCKET_SERVICES]
    return "".join(lines)


def _render_secrets() -> str:
    names = [*(f"nats_url_{process}" for process in PROCESSES)]
    names += [f"{name}.{kind}" for name in SERVICES for kind in ("key", "pub")]
    lines = [f"{name}: {{ file: secrets/{name} }}\n" for name in names]
    lines += [
        f"tls_{name}.{kind}: {{ file: secrets/tls/{name}.{kind} }}\n"
        for name in SERVICES
        for kind in ("crt", "key")
    ]
    return "".join(lines)


def _render_development(service: RegisteredService) -> str:
    paths = ("../services/common", f"../services/{service.name}", "../protos/gen", "requirements-service.txt")
    lines = [
        f"{service.name}: &{service.name}",
        '  environment: { DEBUG: "True" }',
        '  restart: "no"',
        "  develop:",
        "    watch:",
        *(f"      - {{ action: rebuild, path: {path} }}" for path in paths),
    ]
    if service.outside_network == "proxmox":
        lines.append('  ports: ["127.0.0.1:${PVESIM_PORT:-8006}:8006"] # the simulator shares its network')
    if service.has_worker:
        lines.append(f"{service.name}-worker: *{service.name}")
    return "\n".join(lines) + "\n"


def _render_targets() -> str:
    processes = [process for service in REGISTRY for process in service.processes]
    return "".join(f'- {{ targets: ["{each}:9100"], labels: {{ process: {each} }} }}\n' for each in processes)
