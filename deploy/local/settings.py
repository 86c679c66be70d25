"""What may be decided about a local stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.auth.config import parse_username
from services.common.core.config import setting
from services.common.core.parsing import (
    parse_bind_address,
    parse_bool,
    parse_database_url,
    parse_http_url,
    parse_int,
    parse_nats_urls,
    parse_origins,
)

_MOST_PROXIES = 16  # a larger number is a mistake, a port for example


def _parse_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise ValueError(f"{text} is not between 0 and 3600")
    return seconds


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """One stack. The environment also reaches the services, so their own settings work here too."""

    host: str = setting(
        "PROXIMITY_HOST",
        default="127.0.0.1",
        parse=parse_bind_address,
        doc="Address that the gateway listens on.",
    )
    port: int = setting(
        "PROXIMITY_PORT", default=8000, parse=parse_int(1, 65535), doc="Port of the gateway, http and https."
    )
    state_dir: Path = setting(
        "PROXIMITY_STATE_DIR", default=Path(".proximity"), parse=Path, doc="Databases, keys, logs."
    )
    admin_username: str = setting(
        "PROXIMITY_ADMIN_USERNAME", default="admin", parse=parse_username, doc="First administrator."
    )
    admin_password: str = setting(
        "PROXIMITY_ADMIN_PASSWORD", default="", doc="Password of the first; else generated.", secret=True
    )
    database_url: str = setting(
        "DATABASE_URL",
        default="",
        parse=parse_database_url,
        doc="postgresql://… instead of SQLite files in the state.",
        secret=True,
    )
    nats_url: str = setting(
        "NATS_URL",
        default="",
        parse=parse_nats_urls,
        doc="NATS servers instead of one started here: nats://user:password@host:4222, comma-separated.",
        secret=True,
    )
    proxmox_host: str = setting(
        "PROXMOX_HOST", default="", doc="A Proxmox host instead of the simulated one."
    )
    testing_mode: bool = setting(
        "TESTING_MODE", default=False, parse=parse_bool, doc="The simulated Proxmox in any case."
    )
    mock_proxmox: bool = setting("USE_MOCK_PROXMOX", default=False, parse=parse_bool, doc="The same.")
    task_seconds: float = setting(
        "PVESIM_TASK_SECONDS",
        default=0.2,
        parse=_parse_seconds,
        doc="How long a task of the simulated Proxmox takes.",
    )
    secret_key: str = setting("SECRET_KEY", default="", doc="Else generated into the state.", secret=True)
    mutual_tls: bool = setting(
        "PROXIMITY_MTLS",
        default=False,
        parse=parse_bool,
        doc="Mutual TLS between the gateway and the services, with certificates made in the state directory.",
    )
    cors_origins: tuple[str, ...] = setting(
        "CORS_ALLOWED_ORIGINS",
        default=(),
        parse=parse_origins,
        doc="Other sites whose pages may call the API.",
    )
    trusted_proxies: int = setting(
        "TRUSTED_PROXIES",
        default=0,
        parse=parse_int(0, _MOST_PROXIES),
        doc="Reverse proxies before the gateway that append to X-Forwarded-For; 0: clients reach it themselves.",
    )
    require_https: bool = setting(
        "REQUIRE_HTTPS", default=False, parse=parse_bool, doc="Answer http with a redirect to https."
    )
    traces: str = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        default="",
        parse=parse_http_url,
        doc="Collector of traces, OTLP over HTTP: http://host:4318.",
    )
    metrics: bool = setting(
        "PROXIMITY_METRICS",
        default=False,
        parse=parse_bool,
        doc="Serve metrics to Prometheus; metrics.json in the state lists the targets.",
    )

    @property
    def is_simulated(self) -> bool:
        """Whether the simulated Proxmox takes part."""
        return self.testing_mode or self.mock_proxmox or not self.proxmox_host

    @property
    def state(self) -> Path:
        """The state directory, absolute."""
        return self.state_dir.absolute()

    @property
    def url(self) -> str:
        """Where the gateway answers on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"{'https' if self.require_https else 'http'}://{host}:{self.port}"

    @property
    def certificate(self) -> Path:
        """The gateway's certificate, which it signs itself."""
        return self.state / "keys" / "gateway.crt"
