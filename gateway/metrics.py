"""Envoy's own metrics for Prometheus, on a listener that reaches nothing else of its admin interface."""

from __future__ import annotations

from typing import Any

from gateway.clusters import TYPE, render_address
from gateway.settings import Endpoint, GatewaySettings

METRICS_PATH = "/stats/prometheus"
_CLUSTER = "admin"


def render_metrics(listen: Endpoint, settings: GatewaySettings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the listener that serves `METRICS_PATH` alone, and the cluster that is Envoy's admin interface.

    The admin interface can end Envoy, so it is never reached as a whole.
    """
    # Used counters alone: there are thousands that never count.
    route = {
        "match": {"path": METRICS_PATH, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        "route": {
            "cluster": _CLUSTER,
            "timeout": "5s",
            "regex_rewrite": {
                "pattern": {"regex": f"{METRICS_PATH}.*"},
                "substitution": f"{METRICS_PATH}?usedonly",
            },
        },
    }
    manager = {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "metrics",
        "route_config": {"virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "metrics",
        "address": render_address(listen),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    cluster = {
        "name": _CLUSTER,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": render_address(settings.admin)}}]}],
        },
    }
    return listener, cluster
