"""The whole Envoy bootstrap, from the descriptor image and the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.clusters import TYPE, render_address, render_certificate, render_clusters
from gateway.connections import render_connections
from gateway.filters import JWKS_PATH, render_filters, render_key_filters, render_redirect_filters
from gateway.metrics import render_metrics
from gateway.routes import render_redirects, render_routes
from gateway.settings import Certificate, Endpoint, GatewaySettings, UpstreamTls
from gateway.surface import Surface, load_surface
from gateway.tracing import render_collector

__all__ = ["Certificate", "Endpoint", "GatewaySettings", "UpstreamTls", "render_bootstrap"]


def render_bootstrap(settings: GatewaySettings, surface: Surface | None = None) -> dict[str, Any]:
    """Return the configuration to write to a file (as JSON or YAML) and start Envoy with.

    Raises:
        ValueError: `settings.endpoints` lacks a service, or names one that does not exist; https is required but
            there is no certificate.
    """
    surface = surface or load_surface()
    if set(settings.endpoints) != set(surface.owners):
        raise ValueError(
            f"endpoints must name exactly {', '.join(surface.owners)}, not {sorted(settings.endpoints)}"
        )
    if unknown := set(settings.websockets) - {method.owner for method in surface.websockets}:
        raise ValueError(f"{', '.join(sorted(unknown))} has no WebSockets")
    if settings.require_https and not settings.certificate:
        raise ValueError("https is required, but there is no certificate")
    metrics = render_metrics(settings.metrics, settings) if settings.metrics else None
    return {
        "node": {"id": "gateway", "cluster": "proximity"},
        "admin": {"address": render_address(settings.admin, mode=0o600)},
        "static_resources": {
            "listeners": [
                _render_listener(surface, settings),
                _render_key_listener(surface, settings),
                *(metrics[:1] if metrics else ()),
            ],
            "clusters": [
                *render_clusters(settings),
                _render_key_cluster(settings),
                *([render_collector(settings.traces)] if settings.traces else []),
                *(metrics[1:] if metrics else ()),
            ],
        },
        "overload_manager": _render_overload(settings),
    }


def _render_listener(surface: Surface, settings: GatewaySettings) -> dict[str, Any]:
    chains = [_render_chain(surface, settings, certificate=None)]
    if settings.certificate:
        chains.insert(0, _render_chain(surface, settings, certificate=settings.certificate))
    inspector = {"@type": f"{TYPE}.extensions.filters.listener.tls_inspector.v3.TlsInspector"}
    return {
        "name": "clients",
        "address": render_address(settings.listen),
        "enable_reuse_port": settings.reuse_port,
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "listener_filters": [{"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}],
        "listener_filters_timeout": "10s",
        "filter_chains": chains,
    }


def _render_chain(
    surface: Surface, settings: GatewaySettings, *, certificate: Certificate | None
) -> dict[str, Any]:
    https = certificate is not None
    manager = render_connections(settings, "https" if https else "http")
    if settings.require_https and not https:
        manager |= {"route_config": render_redirects(name="http"), "http_filters": render_redirect_filters()}
    else:
        name = "https" if https else "http"
        manager["route_config"] = render_routes(surface, settings, name=name)
        manager["http_filters"] = render_filters(surface, settings, https=https)
    chain: dict[str, Any] = {
        "name": "https" if https else "http",
        "filter_chain_match": {"transport_protocol": "tls" if https else "raw_buffer"},
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
    }
    if certificate:
        chain["transport_socket"] = _render_tls(certificate)
        chain["transport_socket_connect_timeout"] = "10s"
    return chain


def _render_tls(certificate: Certificate) -> dict[str, Any]:
    context = {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [render_certificate(certificate)],
        },
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _render_key_listener(surface: Surface, settings: GatewaySettings) -> dict[str, Any]:
    """Listen for the gateway itself: jwt_authn fetches keys by HTTP where auth speaks gRPC.

    Envoy's internal listeners would need no socket, but the fetching thread cannot reach them.
    """
    match = next(method for method in surface.routed if any(b.path == JWKS_PATH for b in method.bindings))
    route = {"match": {"path": match.path}, "route": {"cluster": match.owner, "timeout": "5s"}}
    rest = {
        "match": {"prefix": "/"},
        "route": {"cluster": "none", "cluster_not_found_response_code": "NOT_FOUND"},
    }
    manager = {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "keys",
        "route_config": {
            "virtual_hosts": [{"name": "keys", "domains": ["*"], "routes": [route, rest]}],
            "validate_clusters": False,
        },
        "http_filters": render_key_filters(surface, settings),
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "name": "keys",
        "address": _render_inner_address(settings, mode=0o600),
        "filter_chains": [{"filters": filters}],
    }


def _render_inner_address(settings: GatewaySettings, *, mode: int = 0) -> dict[str, Any]:
    path = settings.inner_address
    # The abstract namespace has no permissions.
    return {"pipe": {"path": path}} if path.startswith("@") else render_address(Path(path), mode=mode)


def _render_key_cluster(settings: GatewaySettings) -> dict[str, Any]:
    address = _render_inner_address(settings)
    return {
        "name": "keys",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": "keys",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _render_overload(settings: GatewaySettings) -> dict[str, Any]:
    """Refuse connections and, close to the end of memory, requests, before the process dies of them."""
    monitors = "type.googleapis.com/envoy.extensions.resource_monitors"
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{monitors}.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": settings.max_connections,
                },
            },
            {
                "name": "envoy.resource_monitors.fixed_heap",
                "typed_config": {
                    "@type": f"{monitors}.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": settings.max_heap_bytes,
                },
            },
        ],
        "actions": [
            _render_action("envoy.overload_actions.shrink_heap", 0.9),
            _render_action("envoy.overload_actions.stop_accepting_requests", 0.97),
        ],
    }


def _render_action(name: str, share: float) -> dict[str, Any]:
    return {
        "name": name,
        "triggers": [{"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": share}}],
    }
