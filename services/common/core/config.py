"""Settings from the environment: one frozen object per process, every fault reported at once.

A service's `config.py` declares a frozen dataclass whose fields carry `setting(...)`; `read_settings` fills it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from services.common.core.environment import (
    WEAKNESSES,
    find_incomplete,
    find_short_keys,
    find_weak_secret,
    find_weak_url,
    parse_weaknesses,
)
from services.common.core.parsing import (
    parse_bool,
    parse_database_url,
    parse_dsn,
    parse_folder,
    parse_host_port,
    parse_http_url,
    parse_int,
    parse_list,
    parse_listen_address,
    parse_nats_urls,
    parse_networks,
    parse_origins,
    parse_target,
)
from services.registry import default_address

T = TypeVar("T")

LOOPBACK = ("127.0.0.0/8", "::1/128")


class ConfigError(Exception):
    """The environment does not make a valid configuration. `faults` says why, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def setting(
    name: str,
    *,
    default: Any = dataclasses.MISSING,
    parse: Callable[[str], Any] = str,
    doc: str,
    secret: bool = False,
    remedy: str = "",
    needs: Sequence[str | tuple[str, ...]] = (),
) -> Any:
    """Declare a field that comes from the environment variable `name`.

    Args:
        name: the variable.
        default: the value when it is not set or empty; without one it is required.
        parse: turns its text into the value; a ValueError is a fault.
        doc: what it is for, in the table of settings.
        secret: never shown.
        remedy: how to get a value, for a variable that is required.
        needs: variables without which this one has no effect; a tuple needs one of its variables.
    """
    groups = [(each,) if isinstance(each, str) else each for each in needs]
    metadata = {
        "name": name,
        "parse": parse,
        "doc": doc,
        "secret": secret,
        "remedy": remedy,
        "default": default,
        "needs": groups,
    }
    return dataclasses.field(metadata=metadata, repr=not secret)


def _declare_address(service: str) -> Any:
    return setting(
        f"{service.upper()}_ADDRESS",
        default=default_address(service),
        parse=parse_target,
        doc=f"gRPC address of {service}.",
    )


def read_settings(kind: type[T], environ: Mapping[str, str] | None = None) -> T:
    """Fill the settings class `kind` from the environment; `NAME_FILE` is a file with the value of `NAME`.

    Raises:
        ConfigError: with every fault found.
    """
    source = os.environ if environ is None else environ
    settings, faults = _fill(kind, source)
    # A variable with a fault of its own was replaced by its default: later checks would judge that instead.
    wrong = {fault.partition(":")[0] for fault in faults}
    faults += find_incomplete(kind, source)
    if isinstance(settings, ServiceSettings):
        later = [*settings.find_faults(), *_list_unaccepted(settings)]
        faults += [fault for fault in later if fault.partition(":")[0] not in wrong]
    if faults:
        raise ConfigError(faults)
    return settings


def _fill(kind: type[T], source: Mapping[str, str]) -> tuple[T, list[str]]:
    """Return settings with defaults in place of wrong values, and a fault for each of these."""
    faults: list[str] = []
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if "name" not in field.metadata:
            continue
        try:
            values[field.name] = _read_value(field.metadata, source)
        except (ValueError, OSError) as error:
            faults.append(f"{field.metadata['name']}: {error}")
            default = field.metadata["default"]
            # Filled in, so that the checks of the other fields run and every fault is named at once.
            values[field.name] = "" if default is dataclasses.MISSING else default
    return kind(**values), faults


def _list_unaccepted(settings: ServiceSettings) -> list[str]:
    """List what is too weak for production, unless ALLOW_INSECURE names it."""
    # Development uses known passwords and plain HTTP on purpose.
    if settings.debug:
        return []
    return [
        f"{text}; to accept that, name it: ALLOW_INSECURE={name}" if name in WEAKNESSES else text
        for name, text in settings.find_weaknesses()
        if name not in settings.allow_insecure
    ]


def _read_value(metadata: Mapping[str, Any], source: Mapping[str, str]) -> Any:
    name = metadata["name"]
    text = source.get(name, "")
    # Which of the two wins would be a surprise, and an old secret might stay in use unnoticed.
    if text and source.get(f"{name}_FILE"):
        raise ValueError(f"is set, and {name}_FILE too; keep one of them")
    if not text and source.get(f"{name}_FILE"):
        # Editors and `echo` end a file with a line feed that is not part of the secret.
        text = Path(source[f"{name}_FILE"]).read_text(encoding="utf-8").strip()
    if text:
        return metadata["parse"](text)
    if metadata["default"] is dataclasses.MISSING:
        raise ValueError("; ".join(filter(None, ["is required", metadata["remedy"]])))
    return metadata["default"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Settings of every service."""

    listen: str = setting(
        "LISTEN",
        default="127.0.0.1:0",
        parse=parse_listen_address,
        doc="host:port or unix:/path of the gRPC server.",
    )
    health_listen: str = setting(
        "HEALTH_LISTEN",
        default="",
        parse=parse_host_port,
        doc="host:port of a plain gRPC server that answers grpc.health.v1 alone, for probes; empty: none.",
    )
    database_url: str = setting(
        "DATABASE_URL",
        default="sqlite:///.proximity/db/proximity.sqlite3",
        parse=parse_database_url,
        doc="sqlite:///PATH (a file per service is made of it) or postgresql://… (a schema per service).",
        secret=True,
    )
    nats_url: str = setting(
        "NATS_URL",
        default="nats://127.0.0.1:4222",
        parse=parse_nats_urls,
        doc="NATS servers, comma-separated, with credentials: nats://user:password@host:4222.",
        secret=True,
    )
    nats_replicas: int = setting(
        "NATS_REPLICAS", default=1, parse=parse_int(1, 5), doc="Replicas of the JetStream streams."
    )
    secret_key: str = setting(
        "SECRET_KEY",
        doc="Secret from which the keys of secrets at rest are made.",
        secret=True,
        remedy="`make run` and `make secrets` generate one; elsewhere set the output of `openssl rand -base64 36` and keep it",
    )
    previous_secret_keys: tuple[str, ...] = setting(
        "PREVIOUS_SECRET_KEYS",
        default=(),
        parse=parse_list,
        doc="Former values of SECRET_KEY, comma-separated, newest first.",
        secret=True,
    )
    service_keys: Path = setting(
        "SERVICE_KEYS_DIR",
        default=Path(".proximity/keys"),
        parse=Path,
        doc="Directory with <service>.key of this service and <service>.pub of every service (Ed25519, PEM).",
    )
    tls_dir: Path | None = setting(
        "TLS_DIR",
        default=None,
        parse=parse_folder,
        doc="Directory with ca.crt and this service's <service>.crt and .key: mutual TLS; else plain text.",
    )
    gateway_networks: tuple[str, ...] = setting(
        "GATEWAY_NETWORKS",
        default=LOOPBACK,
        parse=parse_networks,
        doc="Networks of gateways that may say whom they forward, where TLS_DIR does not say who is one.",
    )
    # Off by default: an installation that sets nothing must not be one for development.
    debug: bool = setting(
        "DEBUG", default=False, parse=parse_bool, doc="Development: debug logs, migrations at start."
    )
    cors_origins: tuple[str, ...] = setting(
        "CORS_ALLOWED_ORIGINS",
        default=(),
        parse=parse_origins,
        doc="Origins of other sites whose pages may call the API.",
    )
    auth_address: str = _declare_address("auth")
    inventory_address: str = _declare_address("inventory")
    apps_address: str = _declare_address("apps")
    backups_address: str = _declare_address("backups")
    catalog_address: str = _declare_address("catalog")
    sentry_dsn: str = setting(
        "SENTRY_DSN",
        default="",
        parse=parse_dsn,
        doc="Where unexpected errors are reported to (Sentry's protocol).",
        secret=True,
    )
    otlp_endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        default="",
        parse=parse_http_url,
        doc="Collector of traces, OTLP over HTTP (http://host:4318); empty: none are recorded.",
    )
    metrics_listen: str = setting(
        "METRICS_LISTEN",
        default="",
        parse=parse_host_port,
        doc="host:port that serves /metrics to Prometheus; empty: nothing is counted.",
    )
    streams_per_user: int = setting(
        "STREAMS_PER_USER",
        default=50,
        parse=parse_int(1, 100_000),
        doc="How many streams, as of an app's events, a user may hold open at a service's process.",
    )
    calls_per_user: int = setting(
        "CALLS_PER_USER",
        default=200,
        parse=parse_int(1, 100_000),
        doc="How many calls a user may have under way at a service's process; more are 429.",
    )
    calls_per_address: int = setting(
        "CALLS_PER_ADDRESS",
        default=100,
        parse=parse_int(1, 100_000),
        doc="The same for an address (in IPv6 a network of 64 bits), of callers who are not signed in.",
    )
    allow_insecure: tuple[str, ...] = setting(
        "ALLOW_INSECURE",
        default=(),
        parse=parse_weaknesses,
        doc=f"Weaknesses that production may have, comma-separated: {', '.join(WEAKNESSES)}.",
    )

    def find_faults(self) -> Iterator[str]:
        """Values that contradict each other, a sentence each; refused in development too."""
        yield from ()

    def find_weaknesses(self) -> Iterator[tuple[str, str]]:
        """List what production refuses: the name to accept it by, if it can be accepted, and a sentence."""
        if fault := find_weak_secret(self.secret_key):
            yield "", f"SECRET_KEY: {fault}"
        if fault := find_short_keys(self.previous_secret_keys):
            yield "", f"PREVIOUS_SECRET_KEYS: {fault}"
        for name, url in (("DATABASE_URL", self.database_url), ("NATS_URL", self.nats_url)):
            if fault := find_weak_url(url):
                yield "default-passwords", f"{name}: {fault}"

    def address_of(self, service: str) -> str:
        """The gRPC address of a service."""
        return str(getattr(self, f"{service}_address"))
