"""Traces of requests, sent to a collector by OTLP over HTTP; the services continue them."""

from __future__ import annotations

from typing import Any

from gateway.clusters import TYPE, render_endpoint
from gateway.settings import Endpoint, GatewaySettings

_CLUSTER = "traces"


def render_tracing(settings: GatewaySettings) -> dict[str, Any]:
    """Return what the connection manager needs to trace; empty without a collector."""
    if settings.traces is None:
        return {}
    uri = f"http://{settings.traces.host}:{settings.traces.port}/v1/traces"
    provider = {
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "http_service": {"http_uri": {"uri": uri, "cluster": _CLUSTER, "timeout": "5s"}},
            "service_name": "proximity-gateway",
        },
    }
    return {"tracing": {"provider": provider, "spawn_upstream_span": True}}


def render_collector(endpoint: Endpoint) -> dict[str, Any]:
    """Return the cluster of the collector."""
    options = {
        "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
    }
    return {
        "name": _CLUSTER,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": render_endpoint(endpoint)}]}],
        },
    }
