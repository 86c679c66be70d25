"""Traces of requests, sent to a collector by OTLP over HTTP; the services continue them."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Any

from gateway.clusters import TYPE, render_endpoint
from gateway.settings import Collector, GatewaySettings

_CLUSTER = "traces"
# Bundles of the system's certificate authorities: Debian and Alpine, Fedora, BSD.
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def render_tracing(settings: GatewaySettings) -> dict[str, Any]:
    """Return what the connection manager needs to trace; empty without a collector."""
    if settings.traces is None:
        return {}
    provider = {
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "http_service": {"http_uri": {"uri": settings.traces.url, "cluster": _CLUSTER, "timeout": "5s"}},
            "service_name": "proximity-gateway",
        },
    }
    return {"tracing": {"provider": provider, "spawn_upstream_span": True}}


def render_collector(collector: Collector) -> dict[str, Any]:
    """Return the cluster of the collector."""
    options = {
        "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
    }
    cluster = {
        "name": _CLUSTER,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": render_endpoint(collector.endpoint)}]}],
        },
    }
    if collector.uses_tls:
        cluster["transport_socket"] = _render_tls(collector.endpoint.host)
    return cluster


def _render_tls(host: str) -> dict[str, Any]:
    """TLS with a certificate of the system's authorities for the name in the URL."""
    named = _is_name(host)
    san = {"san_type": "DNS" if named else "IP_ADDRESS", "matcher": {"exact": host}}
    context = {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        **({"sni": host} if named else {}),
        "common_tls_context": {
            "validation_context": {
                "trusted_ca": {"filename": find_authorities()},
                "match_typed_subject_alt_names": [san],
            }
        },
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def find_authorities() -> str:
    """Return the file with the certificate authorities of this system; SSL_CERT_FILE names another one.

    Raises:
        ValueError: there is none.
    """
    for file in (ssl.get_default_verify_paths().cafile, *_AUTHORITIES):
        if file and Path(file).is_file():
            return file
    raise ValueError(
        "no certificate authorities are on this system; install ca-certificates, or set SSL_CERT_FILE"
    )
