"""Strategies of foreign text, and the settings that suites of parsers use."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.properties import count_examples

FUZZ = settings(
    max_examples=count_examples(150),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
LIMIT_S = 300.0
TEXT = st.text(max_size=200)
PUNCTUATED = st.text(alphabet="abzAZ019:/.,=-_$@{}[]()|'\"\\ \t\n*&!%#?<>~+äß漢\u202e", max_size=120)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | PUNCTUATED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PUNCTUATED, inner, max_size=4),
    max_leaves=20,
)
WORDS = st.sampled_from(
    [
        *(
            "services",
            "image",
            "ports",
            "volumes",
            "environment",
            "x-casaos",
            "templates",
            "type",
            "title",
            "name",
        ),
        *(
            "id",
            "form_fields",
            "version",
            "command",
            "privileged",
            "network_mode",
            "devices",
            "docker-compose.yml",
        ),
        *(
            "schemaVersion",
            "internalPort",
            "isMain",
            "app_proxy",
            "main",
            "port_map",
            "categories",
            "repository",
        ),
    ]
)
LIKELY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99_999) | PUNCTUATED | WORDS | st.just("nginx:1.27"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | PUNCTUATED, inner, max_size=5),
    max_leaves=25,
)


def check_reason(refusal: Exception) -> None:
    """A refusal says why."""
    assert len(str(refusal)) > 3
