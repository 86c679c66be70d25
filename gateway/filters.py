"""The HTTP filters, in the order in which a request passes them. Answers pass them from the last to the first."""

from __future__ import annotations

import base64
from typing import Any

from gateway.clusters import TYPE
from gateway.console_routes import list_console_paths
from gateway.pages import PATHS
from gateway.rates import render_rate_limit
from gateway.rest_image import describe_rest
from gateway.script import render_script
from gateway.settings import GatewaySettings
from gateway.surface import Surface

ISSUER = "proximity"
AUDIENCE = "proximity"
COOKIE = "proximity-auth-cookie"  # over http
HTTPS_COOKIE = f"__Host-{COOKIE}"  # the name that services set and accept over https
API_TOKEN_PREFIX = "prx_"  # noqa: S105 - how a token begins, not a token
JWKS_PATH = "/api/auth/.well-known/jwks.json"
FILTERS = f"{TYPE}.extensions.filters.http"
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
HSTS = {"strict-transport-security": "max-age=31536000; includeSubDomains"}
COMPRESSIBLE = [
    {"prefix": kind}
    for kind in (
        "application/json",
        "text/html",
        "text/css",
        "text/javascript",
        "application/javascript",
        "image/svg+xml",
    )
]


def render_filters(surface: Surface, settings: GatewaySettings, *, https: bool) -> list[dict[str, Any]]:
    """Return the chain for clients."""
    script = render_script(surface, PATHS, list_console_paths(settings.static_dir))
    return [
        _render_headers(https=https),
        _render_compressor(),
        _name("cors", f"{FILTERS}.cors.v3.Cors"),
        *([_render_rate_limit(settings)] if settings.requests_per_second else []),
        _name("grpc_web", f"{FILTERS}.grpc_web.v3.GrpcWeb"),
        _render_jwt(settings),
        _name("lua", f"{FILTERS}.lua.v3.Lua") | {"typed_config": _render_lua(script)},
        _render_buffer(settings),
        _render_transcoder(surface, settings),
        render_router(),
    ]


def render_redirect_filters() -> list[dict[str, Any]]:
    """Return the chain of a listener that only points to https."""
    return [_render_headers(https=False), render_router()]


def render_key_filters(surface: Surface, settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return the chain of the inner listener through which jwt_authn fetches auth's keys."""
    return [_render_transcoder(surface, settings), render_router()]


def render_router() -> dict[str, Any]:
    """Return the router, without Envoy's own headers in either direction."""
    router = _name("router", f"{FILTERS}.router.v3.Router")
    router["typed_config"]["suppress_envoy_headers"] = True
    return router


def _name(name: str, kind: str) -> dict[str, Any]:
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": kind}}


def _render_headers(*, https: bool) -> dict[str, Any]:
    headers = SECURITY_HEADERS | (HSTS if https else {})
    return {
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": f"{FILTERS}.header_mutation.v3.HeaderMutation",
            "mutations": {
                "response_mutations": [
                    {"append": {"header": {"key": key, "value": value}, "append_action": "ADD_IF_ABSENT"}}
                    for key, value in headers.items()
                ],
            },
        },
    }


def _render_compressor() -> dict[str, Any]:
    """Compress what is read at once. Event streams and gRPC are not in the list of kinds, so they flow untouched."""
    return {
        "name": "envoy.filters.http.compressor",
        "typed_config": {
            "@type": f"{FILTERS}.compressor.v3.Compressor",
            "response_direction_config": {
                "common_config": {"min_content_length": 1024, "content_type_matcher": COMPRESSIBLE},
                "uncompressible_response_codes": [204, 304],
                "weaken_etag_on_compress": True,
            },
            "compressor_library": {
                "name": "gzip",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.compression.gzip.compressor.v3.Gzip",
                    "compression_level": "COMPRESSION_LEVEL_3",
                    "memory_level": 5,
                    "window_bits": 12,
                },
            },
        },
    }


def _render_rate_limit(settings: GatewaySettings) -> dict[str, Any]:
    limit = render_rate_limit(settings.requests_per_second, burst=settings.requests_burst)
    return {"name": "envoy.filters.http.local_ratelimit", "typed_config": limit}


def _render_jwt(settings: GatewaySettings) -> dict[str, Any]:
    """Verify what is there and leave the verdict for the Lua, which refuses what is plainly bad.

    The filter's own refusal would lock everybody out while auth's keys cannot be fetched, and it knows neither public
    RPCs nor API tokens. The header counts before the cookie, so each request asks one provider only.
    """
    has_header = {"name": "authorization", "present_match": True}
    is_https = {"name": "x-forwarded-proto", "string_match": {"exact": "https"}}
    api_token = {
        "name": "authorization",
        "string_match": {"prefix": f"Bearer {API_TOKEN_PREFIX}", "ignore_case": True},
    }
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": f"{FILTERS}.jwt_authn.v3.JwtAuthentication",
            "providers": {
                "header": _render_provider(settings)
                | {"from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}]},
                "cookie": _render_provider(settings) | {"from_cookies": [COOKIE]},
                "https_cookie": _render_provider(settings) | {"from_cookies": [HTTPS_COOKIE]},
            },
            "rules": [
                {"match": {"prefix": "/", "headers": [api_token]}},
                {"match": {"prefix": "/", "headers": [has_header]}, "requires": _require("header")},
                {"match": {"prefix": "/", "headers": [is_https]}, "requires": _require("https_cookie")},
                {"match": {"prefix": "/"}, "requires": _require("cookie")},
            ],
        },
    }


def _require(provider: str) -> dict[str, Any]:
    return {"requires_any": {"requirements": [{"provider_name": provider}, {"allow_missing_or_failed": {}}]}}


def _render_provider(settings: GatewaySettings) -> dict[str, Any]:
    return {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "forward": True,  # the service verifies again
        "require_expiration": True,
        "payload_in_metadata": "claims",
        "failed_status_in_metadata": "failed",
        "jwt_cache_config": {"jwt_cache_size": 2000},
        "remote_jwks": {
            "http_uri": {"uri": f"http://keys{JWKS_PATH}", "cluster": "keys", "timeout": "5s"},
            "cache_duration": f"{settings.jwks_refresh_s}s",
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        },
    }


def _render_lua(source: str) -> dict[str, Any]:
    return {"@type": f"{FILTERS}.lua.v3.Lua", "default_source_code": {"inline_string": source}}


def _render_buffer(settings: GatewaySettings) -> dict[str, Any]:
    """Hold a request until it is complete, or too large: 413.

    A call whose message never comes takes a place here until the request times out, and none of the service's.
    """
    buffer = _name("buffer", f"{FILTERS}.buffer.v3.Buffer")
    buffer["typed_config"]["max_request_bytes"] = settings.max_request_bytes
    return buffer


def _render_transcoder(surface: Surface, settings: GatewaySettings) -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": f"{FILTERS}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            "proto_descriptor_bin": base64.b64encode(describe_rest(surface)).decode(),
            "services": list(surface.transcoded),
            "convert_grpc_status": True,
            "ignore_unknown_query_parameters": True,  # the Lua has refused all but those that begin with _
            "query_param_unescape_plus": True,
            "max_request_body_size": 2 * settings.max_request_bytes,
            "max_response_body_size": settings.max_response_bytes,
            "print_options": {"preserve_proto_field_names": True, "always_print_primitive_fields": True},
            "request_validation_options": {"reject_binding_body_field_collisions": True},
        },
    }
