"""The routes: one for each RPC's gRPC path, the documentation pages, the web console, and nothing else.

The transcoder rewrites a REST request to its gRPC path and has it routed again, so these routes serve both kinds of
client. Filters before the transcoder see the route of the REST path, which is that of /api.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.ageing import render_ageing
from gateway.clusters import TYPE, name_websocket_cluster
from gateway.console_routes import render_file_routes, render_screen_routes
from gateway.pages import render_page_routes
from gateway.rates import render_rate_limit
from gateway.script import HEALTH_SERVICE, REFLECTION_SERVICES
from gateway.settings import GatewaySettings
from gateway.surface import Method, Surface

API = "/api"
GRPC = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
# Set by the transcoder; the gateway removes it from what clients send.
FROM_REST = {"name": "x-envoy-original-path", "present_match": True}
OPEN_STREAM_S = 5  # what reflection and a look at the health take many times over
OPEN_CALLS_PER_SECOND = 20  # of one address: with OPEN_STREAM_S, 100 places of the 5,000 that a service has
UNBUFFERED = {"@type": f"{TYPE}.extensions.filters.http.buffer.v3.BufferPerRoute", "disabled": True}
# Tells a service that this gateway takes JSON for its printed RPCs over REST; an older one would not.
PRINTED_HEADER = "x-proximity-printed"
CORS_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
# With what connect-web, Google's grpc-web, OpenTelemetry and Sentry send by themselves.
CORS_REQUEST_HEADERS = (
    "accept, authorization, baggage, cache-control, connect-protocol-version, connect-timeout-ms, content-type, "
    "grpc-accept-encoding, grpc-encoding, grpc-timeout, idempotency-key, if-none-match, last-event-id, sentry-trace, "
    "traceparent, tracestate, x-csrftoken, x-grpc-web, x-request-id, x-requested-with, x-user-agent"
)
CORS_RESPONSE_HEADERS = (
    "allow, content-disposition, deprecation, etag, grpc-encoding, grpc-message, grpc-status, grpc-status-details-bin, "
    "link, location, retry-after, sunset, x-request-id"
)


def render_routes(surface: Surface, settings: GatewaySettings, *, name: str) -> dict[str, Any]:
    """Return the route configuration."""
    host: dict[str, Any] = {
        "name": "api",
        "domains": ["*"],
        "routes": [
            # Envoy tries one route after the other. REST requests find theirs first, then their calls, and the files last.
            *render_page_routes(surface, settings),
            *(
                _render_websocket(method, settings)
                for method in surface.websockets
                if method.owner in settings.websockets
            ),
            _render_rest(API),
            *(_render_method(method, settings) for method in surface.routed),
            *(_render_json_method(method, settings) for method in surface.routed if method.takes_json),
            *(_render_open_service(HEALTH_SERVICE, settings, owner=owner) for owner in surface.owners),
            *(_render_open_service(each, settings) for each in (HEALTH_SERVICE, *REFLECTION_SERVICES)),
            *render_file_routes(settings),
            *render_screen_routes(settings),
            _render_rest("/"),
        ],
        "typed_per_filter_config": {"envoy.filters.http.cors": _render_cors(settings)},
    }
    return {
        "name": name,
        "virtual_hosts": [host],
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": 8 * 1024 * 1024,
        "request_headers_to_add": [
            # The service compares Origin with the name that the client used; gRPC does not show it :authority.
            _set_header("x-forwarded-host", "%REQ(:AUTHORITY)%", "OVERWRITE_IF_EXISTS_OR_ADD"),
            # The client alone. Left to itself Envoy appends to what came, and puts its own address for loopback.
            _set_header(
                "x-forwarded-for", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "OVERWRITE_IF_EXISTS_OR_ADD"
            ),
        ],
    }


def render_redirects(*, name: str) -> dict[str, Any]:
    """Return the route configuration of a listener that only points to https."""
    redirect = {"https_redirect": True, "response_code": "PERMANENT_REDIRECT"}
    routes = [{"match": {"prefix": "/"}, "redirect": redirect}]
    return {"name": name, "virtual_hosts": [{"name": "redirects", "domains": ["*"], "routes": routes}]}


def _render_method(method: Method, settings: GatewaySettings) -> dict[str, Any]:
    seconds = settings.read_timeout_s if method.reads else settings.write_timeout_s
    route: dict[str, Any] = {"cluster": method.owner}
    rendered: dict[str, Any] = {
        "match": {"path": method.path, "headers": [GRPC]},
        "route": route,
        "response_headers_to_add": render_ageing(method),
    }
    if method.client_streaming:
        rendered["typed_per_filter_config"] = {"envoy.filters.http.buffer": UNBUFFERED}
    if method.is_endless:
        route["timeout"] = "0s"
        route["idle_timeout"] = f"{settings.stream_idle_timeout_s}s"
        return rendered
    # The service gives up first and says so; the gateway's own limit is for services that hang.
    route["timeout"] = f"{seconds + 1}s"
    route["max_stream_duration"] = {"grpc_timeout_header_max": f"{seconds + 1}s"}
    route["idle_timeout"] = f"{seconds + 2}s"
    route["retry_policy"] = _render_retries(method)
    rendered["request_headers_to_add"] = [
        _set_header("grpc-timeout", f"{seconds}S", "ADD_IF_ABSENT"),
        *([_set_header(PRINTED_HEADER, "1", "OVERWRITE_IF_EXISTS_OR_ADD")] if method.is_printed else []),
    ]
    return rendered


def _render_websocket(method: Method, settings: GatewaySettings) -> dict[str, Any]:
    """The route of a WebSocket: nothing is withheld in either direction, and only silence without pings ends it."""
    pattern = re.sub(r"\\?\{[a-z_]+\\?\}", "[^/]+", re.escape(method.websocket))
    upgrade = {"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}
    return {
        "match": {"safe_regex": {"regex": f"{pattern}/?"}, "headers": [upgrade]},
        "route": {
            "cluster": name_websocket_cluster(method.owner),
            "timeout": "0s",
            "idle_timeout": f"{settings.stream_idle_timeout_s}s",
            "upgrade_configs": [{"upgrade_type": "websocket", "enabled": True}],
        },
        "typed_per_filter_config": {"envoy.filters.http.buffer": UNBUFFERED},
    }


def _render_json_method(method: Method, settings: GatewaySettings) -> dict[str, Any]:
    """The route of a transcoded request whose body the service parses; gRPC clients do not reach it."""
    route = _render_method(method, settings)
    return route | {"match": {"path": method.json_path, "headers": [GRPC, FROM_REST]}}


def _render_retries(method: Method) -> dict[str, Any]:
    """Writes are tried again only where the service cannot have seen them.

    CANCELLED says just that: gRPC gives it to calls that a server which ends had not yet looked at, and our servers
    say UNAVAILABLE to those that they had (`services.common.rpc.interceptors.deadline`).
    """
    conditions = ["connect-failure", "refused-stream", "cancelled"]
    if method.idempotent:
        conditions += ["reset", "unavailable"]
    return {
        "retry_on": ",".join(conditions),
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                },
            }
        ],
        # A replica that is gone has the fewest requests, so it is chosen three times out of four: choose often.
        "host_selection_retry_max_attempts": 20,
    }


def _render_open_service(service: str, settings: GatewaySettings, *, owner: str = "") -> dict[str, Any]:
    """Return the route of health or reflection, to `owner` where the script found one in the request, else to inventory.

    Anybody may call them, and the first message of a stream cannot be waited for here. So their streams (health's Watch)
    end soon, and an address begins few: one client could hold as many places as a service has.
    """
    limited = {"envoy.filters.http.local_ratelimit": render_rate_limit(OPEN_CALLS_PER_SECOND, burst=100)}
    named = [{"name": "x-proximity-owner", "string_match": {"exact": owner}}] if owner else []
    return {
        "match": {"prefix": f"/{service}/", "headers": [GRPC, *named]},
        "route": {
            "cluster": owner or "inventory",
            "timeout": f"{OPEN_STREAM_S}s",
            "max_stream_duration": {"max_stream_duration": f"{OPEN_STREAM_S}s"},
        },
        "typed_per_filter_config": {
            "envoy.filters.http.buffer": UNBUFFERED,
            **(limited if settings.requests_per_second else {}),
        },
    }


def _render_rest(prefix: str) -> dict[str, Any]:
    """The route of REST requests until they are transcoded, and of what nobody knows: 404.

    Its idle timeout bounds only the time until then.
    """
    # /api and what is below it, not /apis.
    match = {"prefix": prefix} if prefix.endswith("/") else {"path_separated_prefix": prefix}
    return {
        "match": match,
        "route": {"cluster": "none", "cluster_not_found_response_code": "NOT_FOUND", "timeout": "0s"},
    }


def _render_cors(settings: GatewaySettings) -> dict[str, Any]:
    return {
        "@type": f"{TYPE}.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": origin} for origin in settings.cors_origins],
        "allow_methods": CORS_METHODS,
        "allow_headers": CORS_REQUEST_HEADERS,
        "expose_headers": CORS_RESPONSE_HEADERS,
        "allow_credentials": True,
        "max_age": "600",
    }


def _set_header(key: str, value: str, action: str) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": action}
