"""What a local stack consists of: every process with its arguments and its environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deploy.certificates import make_certificates
from deploy.local.process import Spec
from deploy.local.settings import LocalSettings
from deploy.local.sockets import name_address, name_socket, name_websocket_socket
from deploy.local.state import ensure_certificate, ensure_secret
from gateway.config import Certificate, Endpoint, GatewaySettings, UpstreamTls, render_bootstrap
from gateway.environment import read_environment
from gateway.metrics import METRICS_PATH
from gateway.program import find_envoy
from gateway.settings import parse_collector
from services.common.identity.keys import make_service_keys
from services.registry import SERVICES, WEBSOCKET_SERVICES, WORKERS

_GATEWAY_METRICS = "metrics-gateway"
PORTS = ("nats", "pvesim", "pvesim-ssh")
ROOT = Path(__file__).resolve().parents[2]


_DRIVERS = {"postgresql": "services.common.db.postgres", "sqlite": "sqlalchemy.dialects.sqlite.pysqlite"}


@dataclass(frozen=True)
class Secrets:
    """What was given or generated; `is_new` when the password was made just now."""

    secret_key: str
    admin_password: str
    is_new: bool


def make_secrets(settings: LocalSettings) -> Secrets:
    """Make the keys that are missing in the state directory."""
    folder = settings.state / "keys"
    make_service_keys(folder)
    if settings.mutual_tls:
        make_certificates(settings.state / "certs")
    key = settings.secret_key or ensure_secret(folder / "secret_key")[0]
    if settings.admin_password:
        return Secrets(key, settings.admin_password, is_new=False)
    password, is_new = ensure_secret(folder / "admin_password")
    return Secrets(key, password, is_new)


def _inherit() -> dict[str, str]:
    """What every process gets; modules are found wherever the stack was started."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",
    }


def make_environment(
    settings: LocalSettings, secrets: Secrets, ports: Mapping[str, int], *, proxmox: Mapping[str, Any]
) -> dict[str, str]:
    """Return the environment of the services; `proxmox` is what the simulator says of itself, else empty."""
    state = settings.state
    environment = _inherit() | {
        "DATABASE_URL": settings.database_url or f"sqlite:///{state}/db/proximity.sqlite3",
        "NATS_URL": settings.nats_url or f"nats://127.0.0.1:{ports['nats']}",
        "SECRET_KEY": secrets.secret_key,
        # The gateway of a local stack speaks http too; a browser keeps no Secure cookie that came by it.
        "ALLOW_INSECURE": ",".join(filter(None, ["http-cookies", os.environ.get("ALLOW_INSECURE")])),
        "SERVICE_KEYS_DIR": str(state / "keys"),
        "PUBLIC_URL": os.environ.get("PUBLIC_URL") or settings.url,
        "PROXIMITY_ADMIN_USERNAME": settings.admin_username,
        "PROXIMITY_ADMIN_PASSWORD": secrets.admin_password,
        **{f"{service.upper()}_ADDRESS": name_address(state, service) for service in SERVICES},
    }
    if settings.mutual_tls:
        environment["TLS_DIR"] = str(state / "certs")
    if proxmox:
        environment |= {
            "USE_MOCK_PROXMOX": "1",
            "PROXMOX_HOST": str(proxmox["host"]),
            "PROXMOX_PORT": str(proxmox["port"]),
            "PROXMOX_SSH_PORT": str(proxmox["ssh_port"]),
            "PROXMOX_SSH_ADDRESSES": "",
            "PROXMOX_USER": str(proxmox["user"]),
            "PROXMOX_PASSWORD": str(proxmox["password"]),
            "PROXMOX_TOKEN_ID": "",
            "PROXMOX_TOKEN_SECRET": "",
            "PROXMOX_VERIFY_SSL": "True",
            "PROXMOX_FINGERPRINT": str(proxmox["fingerprint"]),
        }
    return environment


def _run_module(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def list_services(
    environment: Mapping[str, str],
    ports: Mapping[str, int],
    *,
    nats_urls: Mapping[str, str] = MappingProxyType({}),
    workers: int = 1,
) -> list[Spec]:
    """Return every service and every worker; the second of a service's `workers` is `<service>-worker-2`.

    `nats_urls` are those of `deploy.local.nats.list_nats_urls`; without them all processes use NATS_URL as it is.
    """
    serving = [
        Spec(
            service,
            _run_module(f"services.{service}", "serve"),
            {
                **environment,
                "LISTEN": environment[f"{service.upper()}_ADDRESS"],
                "WEBSOCKET_LISTEN": _name_websocket_listen(environment, service),
                **_use_nats(nats_urls, service),
                **_serve_metrics(service, ports),
            },
        )
        for service in SERVICES
    ]
    working = [
        Spec(
            name,
            _run_module(f"services.{service}", "work"),
            {**environment, **_use_nats(nats_urls, f"{service}-worker"), **_serve_metrics(name, ports)},
        )
        for service in WORKERS
        for number in range(1, workers + 1)
        for name in [f"{service}-worker{f'-{number}' if number > 1 else ''}"]
    ]
    return serving + working


def _name_websocket_listen(environment: Mapping[str, str], service: str) -> str:
    """Return the address of a service's WebSockets, beside its gRPC socket; empty: it has none there."""
    address = environment[f"{service.upper()}_ADDRESS"]
    if service not in WEBSOCKET_SERVICES or not address.endswith(f"/{service}.sock"):
        return ""
    return f"{address.removesuffix('.sock')}-ws.sock"


def _use_nats(urls: Mapping[str, str], process: str) -> dict[str, str]:
    return {"NATS_URL": urls[process]} if urls else {}


def list_shared_modules(settings: LocalSettings) -> list[str]:
    """Return what services, workers and the migration import."""
    driver = "postgresql" if settings.database_url.startswith("postgres") else "sqlite"
    servers = [f"services.{service}.server" for service in SERVICES]
    return ["deploy.local.migrating", "services.common.process.commands", *servers, _DRIVERS[driver]]


def name_metrics_ports(settings: LocalSettings) -> list[str]:
    """Names of the ports that serve metrics, one for each process; none where nobody wants any."""
    names = [*SERVICES, *(f"{service}-worker" for service in WORKERS), "gateway"]
    return [f"metrics-{name}" for name in names] if settings.metrics else []


def write_targets(settings: LocalSettings, ports: Mapping[str, int]) -> None:
    """Write metrics.json, as Prometheus' file_sd_configs reads it."""
    targets = [
        {"targets": [f"127.0.0.1:{ports[name]}"], "labels": _label_target(name)}
        for name in name_metrics_ports(settings)
    ]
    (settings.state / "metrics.json").write_text(json.dumps(targets, indent=2), encoding="utf-8")


def _label_target(name: str) -> dict[str, str]:
    path = {"__metrics_path__": METRICS_PATH} if name == _GATEWAY_METRICS else {}
    return {"process": name.removeprefix("metrics-"), **path}


def _serve_metrics(name: str, ports: Mapping[str, int]) -> dict[str, str]:
    port = ports.get(f"metrics-{name}")
    return {"METRICS_LISTEN": f"127.0.0.1:{port}" if port else ""}


def make_migration(environment: Mapping[str, str]) -> Spec:
    """Return the migration of every service's database; it ends by itself."""
    return Spec("migrate", _run_module("deploy.local.migrating"), environment)


def make_simulator(
    settings: LocalSettings,
    ports: Mapping[str, int],
    *,
    on_line: Callable[[str], None],
    options: Sequence[str] = (),
) -> Spec:
    """Return the simulated Proxmox VE; `options` are more of its own."""
    arguments = _run_module(
        "tests.pvesim",
        *("--state-dir", str(settings.state / "pvesim"), "--first-vmid", "9000"),
        *("--task-seconds", f"{settings.task_seconds:g}"),
        *("--port", str(ports["pvesim"]), "--ssh-port", str(ports["pvesim-ssh"])),
        *options,
    )
    return Spec("pvesim", arguments, _inherit(), on_line)


def make_gateway_settings(
    settings: LocalSettings, ports: Mapping[str, int] = MappingProxyType({})
) -> GatewaySettings:
    """Return the settings of the gateway; make its certificate if there is none."""
    state = settings.state
    chain, key = ensure_certificate(state / "keys")
    own = {
        "cors_origins": settings.cors_origins,
        "traces": parse_collector(settings.traces),
        "trusted_proxies": settings.trusted_proxies,
        "metrics": Endpoint("127.0.0.1", ports[_GATEWAY_METRICS]) if _GATEWAY_METRICS in ports else None,
    }
    return GatewaySettings(
        endpoints={service: (name_socket(state, service),) for service in SERVICES},
        websockets={service: (name_websocket_socket(state, service),) for service in WEBSOCKET_SERVICES},
        listen=Endpoint(settings.host, settings.port),
        admin=name_socket(state, "admin"),
        key_socket=str(name_socket(state, "keys")),
        certificate=Certificate(chain, key),
        upstream_tls=_find_upstream_tls(settings),
        access_log=str(settings.state / "logs" / "access.log"),
        **(read_environment(os.environ) | own),
    )


def _find_upstream_tls(settings: LocalSettings) -> UpstreamTls | None:
    certs = settings.state / "certs"
    own = Certificate(certs / "gateway.crt", certs / "gateway.key")
    return UpstreamTls(certs / "ca.crt", own) if settings.mutual_tls else None


def make_gateway(settings: LocalSettings, ports: Mapping[str, int] = MappingProxyType({})) -> Spec:
    """Write the gateway's configuration and return its process."""
    bootstrap = render_bootstrap(make_gateway_settings(settings, ports))
    file = settings.state / "envoy.json"
    file.write_text(json.dumps(bootstrap), encoding="utf-8")
    options = ("--disable-hot-restart", "--concurrency", "2", "--log-level", "warning")
    return Spec("gateway", (find_envoy(), "-c", str(file), *options), dict(os.environ))
