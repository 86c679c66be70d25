"""Settings of the gateway that come from environment variables, in every way of running it.

The table of `docs/configuration.md` has them beside those of the services, whose code the gateway's image does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.settings import Endpoint, GatewaySettings, parse_collector, parse_origins

_MOST_PROXIES = 16  # a larger number is a mistake, a port for example
_MOST_REQUESTS = 1_000_000  # per second or burst; larger than what one gateway serves


@dataclass(frozen=True)
class GatewayVariable:
    """One variable of the environment.

    Attributes:
        name: of the variable.
        field: of `GatewaySettings` that it sets.
        default: in words, as the table of settings shows it.
        doc: what it is for.
        parse: turns its text into the value; a ValueError is a fault.
    """

    name: str
    field: str
    default: str
    doc: str
    parse: Callable[[str], Any]


def _parse_count(highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{text!r} is not a whole number from 0 to {highest}")
        if int(text) > highest:
            raise ValueError(f"{text} is not between 0 and {highest}")
        return int(text)

    return parse


def _parse_bool(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


_DEFAULT = GatewaySettings(endpoints={})
VARIABLES = (
    GatewayVariable(
        "CORS_ALLOWED_ORIGINS",
        "cors_origins",
        "",
        "Origins of other sites whose pages may call the API.",
        parse_origins,
    ),
    GatewayVariable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "traces",
        "",
        "Collector of traces, OTLP over HTTP (http://host:4318); empty: none are recorded.",
        parse_collector,
    ),
    GatewayVariable(
        "METRICS_LISTEN",
        "metrics",
        "",
        "host:port that serves /stats/prometheus to Prometheus.",
        Endpoint.parse,
    ),
    GatewayVariable(
        "TRUSTED_PROXIES",
        "trusted_proxies",
        str(_DEFAULT.trusted_proxies),
        "Reverse proxies before the gateway that append to X-Forwarded-For; 0: clients reach it themselves.",
        _parse_count(_MOST_PROXIES),
    ),
    GatewayVariable(
        "REQUIRE_HTTPS",
        "require_https",
        str(_DEFAULT.require_https),
        "Answer http with a redirect to https; needs the gateway's certificate.",
        _parse_bool,
    ),
    GatewayVariable(
        "REQUESTS_PER_SECOND",
        "requests_per_second",
        str(_DEFAULT.requests_per_second),
        "How many requests a client address may send each second; 0: no limit.",
        _parse_count(_MOST_REQUESTS),
    ),
    GatewayVariable(
        "REQUESTS_BURST",
        "requests_burst",
        str(_DEFAULT.requests_burst),
        "How many requests a client address may send at once before that limit holds.",
        _parse_count(_MOST_REQUESTS),
    ),
)


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of `GatewaySettings` that the environment sets.

    Raises:
        ValueError: with a line for every wrong value.
    """
    found: dict[str, Any] = {}
    faults = []
    for variable in VARIABLES:
        text = environ.get(variable.name, "").strip()
        if not text:
            continue
        try:
            found[variable.field] = variable.parse(text)
        except ValueError as error:
            faults.append(f"{variable.name}: {error}")
    if faults:
        raise ValueError("\n".join(faults))
    return found
