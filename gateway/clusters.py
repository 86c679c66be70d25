"""Where the services are, and how the gateway deals with replicas that fail."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from gateway.settings import Address, Certificate, GatewaySettings, UpstreamTls

TYPE = "type.googleapis.com/envoy"


def render_clusters(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return a cluster for each service."""
    return [
        *(_render_service(name, replicas, settings) for name, replicas in sorted(settings.endpoints.items())),
        *(
            _render_websockets(name, replicas, settings)
            for name, replicas in sorted(settings.websockets.items())
        ),
    ]


def name_websocket_cluster(service: str) -> str:
    """Return the name of the cluster of a service's WebSockets."""
    return f"{service}-websockets"


def _render_websockets(name: str, replicas: tuple[Address, ...], settings: GatewaySettings) -> dict[str, Any]:
    """The same processes on another port, with HTTP/1.1, which upgrades."""
    cluster = _render_service(name, replicas, settings)
    cluster |= {"name": name_websocket_cluster(name), "typed_extension_protocol_options": _speak("http")}
    cluster["load_assignment"]["cluster_name"] = cluster["name"]
    if settings.upstream_tls:
        cluster["transport_socket"] = _render_mutual_tls(name, settings.upstream_tls, protocol="http/1.1")
    return cluster


def _render_service(name: str, replicas: tuple[Address, ...], settings: GatewaySettings) -> dict[str, Any]:
    cluster = {
        "name": name,
        "type": "STATIC" if all(map(_needs_no_lookup, replicas)) else "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": render_endpoint(replica)} for replica in replicas]}],
        },
        "per_connection_buffer_limit_bytes": settings.max_response_bytes,
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 30, "keepalive_interval": 10}},
        "typed_extension_protocol_options": _speak("http2"),
        # Everything that a lost replica had under way is tried again at once.
        "circuit_breakers": {
            "thresholds": [{"max_requests": 10_000, "max_pending_requests": 1024, "max_retries": 1024}]
        },
        "outlier_detection": _render_outliers(),
    }
    if settings.upstream_tls:
        cluster["transport_socket"] = _render_mutual_tls(name, settings.upstream_tls)
    return cluster


def _render_outliers() -> dict[str, Any]:
    """Leave a replica alone for a while that cannot be reached.

    Only connections count. A status 503 is also what a healthy service says when Proxmox is away. Not for long: of two
    replicas the one that is back must be in use before the other one ends.
    """
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "interval": "0.5s",
        "base_ejection_time": "1s",
        "max_ejection_time": "2s",
        "max_ejection_percent": 50,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
    }


def render_endpoint(endpoint: Address) -> dict[str, Any]:
    """Return an Envoy endpoint."""
    return {"address": render_address(endpoint)}


def render_address(endpoint: Address, *, mode: int = 0) -> dict[str, Any]:
    """Return an Envoy address; `mode` is that of a Unix socket that Envoy makes, 0 leaves it to the umask."""
    if isinstance(endpoint, Path):
        return {"pipe": {"path": str(endpoint), **({"mode": mode} if mode else {})}}
    return {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}


def render_certificate(certificate: Certificate) -> dict[str, Any]:
    """Return an Envoy TLS certificate."""
    return {
        "certificate_chain": {"filename": str(certificate.chain)},
        "private_key": {"filename": str(certificate.key)},
    }


def _speak(protocol: str) -> dict[str, Any]:
    """Options of a cluster that speaks `http2` or `http`, which is HTTP/1.1."""
    options = {
        "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {f"{protocol}_protocol_options": {}},
    }
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


def _render_mutual_tls(name: str, tls: UpstreamTls, *, protocol: str = "h2") -> dict[str, Any]:
    san = {"san_type": "DNS", "matcher": {"exact": name}}
    context = {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": name,
        "common_tls_context": {
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_3",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "alpn_protocols": [protocol],
            "tls_certificates": [render_certificate(tls.certificate)],
            "validation_context": {
                "trusted_ca": {"filename": str(tls.ca)},
                "match_typed_subject_alt_names": [san],
            },
        },
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _needs_no_lookup(endpoint: Address) -> bool:
    if isinstance(endpoint, Path):
        return True
    try:
        ipaddress.ip_address(endpoint.host)
    except ValueError:
        return False
    return True
