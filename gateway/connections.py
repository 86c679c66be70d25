"""Connections of clients: who a client is, what it may not claim, how much and how slowly it may send, the log."""

from __future__ import annotations

from typing import Any

from gateway.clusters import TYPE
from gateway.replies import render_local_replies
from gateway.settings import GatewaySettings
from gateway.tracing import render_tracing

# Set by us or by Envoy; a client that sends them means no good.
FOREIGN_HEADERS = ("x-jwt-", "x-proximity-", "x-envoy-", "x-http-code", "x-forwarded-host", "x-accel-")
PROXY_HEADERS = ("x-forwarded-", "x-real-ip", "x-request-id", "forwarded")


def render_connections(settings: GatewaySettings, prefix: str) -> dict[str, Any]:
    """Return Envoy's connection manager without its routes and filters."""
    return {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": prefix,
        "codec_type": "AUTO",
        "server_name": "proximity",
        "use_remote_address": True,
        "xff_num_trusted_hops": settings.trusted_proxies,
        "internal_address_config": {"cidr_ranges": []},
        "always_set_request_id_in_response": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "early_header_mutation_extensions": [_render_header_removal(settings)],
        "local_reply_config": render_local_replies(),
        "max_request_headers_kb": 16,
        "request_headers_timeout": f"{settings.headers_timeout_s}s",
        "request_timeout": f"{settings.request_timeout_s}s",
        "stream_idle_timeout": f"{settings.idle_timeout_s}s",
        "drain_timeout": "10s",
        "delayed_close_timeout": "1s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 100,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http_protocol_options": {
            # Older proxies and monitors speak HTTP/1.0, and need not name a host.
            "accept_http_10": True,
            "default_host_for_http_10": "localhost",
            # The Lua answers 405 to methods that no path has; without this Envoy closes the connection with 400.
            "allow_custom_methods": True,
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65536,
            "initial_connection_window_size": 1048576,
            "connection_keepalive": {"interval": "60s", "timeout": "20s"},
        },
        "access_log": _render_access_log(settings),
        **render_tracing(settings),
    }


def _render_header_removal(settings: GatewaySettings) -> dict[str, Any]:
    """Nobody may pretend to be us, nor a proxy before us that does not exist."""
    prefixes = FOREIGN_HEADERS if settings.trusted_proxies else FOREIGN_HEADERS + PROXY_HEADERS
    # gRPC takes the names of binary values seriously and fails when the value is not base64. We use none.
    matchers = [{"prefix": prefix} for prefix in prefixes] + [{"suffix": "-bin"}]
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": f"{TYPE}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [{"remove_on_match": {"key_matcher": matcher}} for matcher in matchers],
        },
    }


def _render_access_log(settings: GatewaySettings) -> list[dict[str, Any]]:
    """One line of JSON for a request. The query is left out: people put secrets there."""
    if settings.access_log is None:
        return []
    line = {
        "timestamp": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "user": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:sub)%",
        "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "status": "%RESPONSE_CODE%",
        "grpc_status": "%GRPC_STATUS(SNAKE_STRING)%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "milliseconds": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "upstream": "%UPSTREAM_HOST%",
        "user_agent": "%REQ(USER-AGENT):200%",
    }
    config = {
        "@type": f"{TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
        "path": settings.access_log,
        "log_format": {"json_format": line},
    }
    return [{"name": "envoy.access_loggers.file", "typed_config": config}]
