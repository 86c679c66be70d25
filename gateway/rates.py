"""Rates: how many requests a client address may begin."""

from __future__ import annotations

from typing import Any

from gateway.clusters import TYPE


def render_rate_limit(per_second: int, *, burst: int) -> dict[str, Any]:
    """Return a bucket for each client address (a network of 64 bits in IPv6, which one client owns whole)."""
    actions = [{"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}]
    bucket = {"max_tokens": burst, "tokens_per_fill": per_second, "fill_interval": "1s"}
    everybody = {"max_tokens": 4_000_000_000, "tokens_per_fill": 4_000_000_000, "fill_interval": "1s"}
    full = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return {
        "@type": f"{TYPE}.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "clients",
        "token_bucket": everybody,
        "filter_enabled": full,
        "filter_enforced": full,
        "rate_limits": [{"actions": actions}],
        "descriptors": [{"entries": [{"key": "masked_remote_address"}], "token_bucket": bucket}],
        "max_dynamic_descriptors": 100_000,
        "always_consume_default_token_bucket": False,
        "rate_limited_as_resource_exhausted": True,
        "enable_retry_after_header": True,
    }
