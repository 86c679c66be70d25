"""deploy/grafana: each query asks for metrics that exist, each alert is tested and names a runbook that exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from prometheus_client import REGISTRY

from services.common.core.telemetry import instruments
from tests.contract.deploy.compose import ROOT
from tests.contract.deploy.monitoring import (
    ALERTS,
    DASHBOARD,
    GRAFANA,
    QUERIES,
    RULES,
    find_program,
    list_metrics,
)


def list_names() -> dict[str, set[str]]:
    """Every series that our instruments make, with its labels."""
    assert instruments.RPC_SECONDS is not None
    found: dict[str, set[str]] = {"up": {"job", "process"}}
    for collector in list(REGISTRY._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for name in REGISTRY._collector_to_names[collector]:
            if name.startswith("proximity_"):
                found[name] = labels | {"process", "job"} | ({"le"} if name.endswith("_bucket") else set())
    return found


# As Envoy names them; the metrics of a running platform are compared in tests/e2e.
_ENVOY = {
    "envoy_http_downstream_rq_xx": {"envoy_response_code_class", "envoy_http_conn_manager_prefix"},
    "envoy_http_downstream_rq_time_bucket": {"envoy_http_conn_manager_prefix", "le"},
    "envoy_http_downstream_cx_active": {"envoy_http_conn_manager_prefix"},
    "envoy_server_days_until_first_cert_expiring": set(),
}
# What Grafana's schema of dashboards (kind Dashboard, version 39) requires of what is used here.
_SCHEMA = {
    "type": "object",
    "required": ["title", "uid", "schemaVersion", "panels", "templating"],
    "properties": {
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos", "datasource", "fieldConfig", "targets"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "type": {"enum": ["timeseries", "stat", "table"]},
                    "title": {"type": "string", "minLength": 1},
                    "gridPos": {
                        "type": "object",
                        "required": ["h", "w", "x", "y"],
                        "additionalProperties": False,
                        "properties": {
                            "h": {"type": "integer", "minimum": 1},
                            "w": {"type": "integer", "minimum": 1, "maximum": 24},
                            "x": {"type": "integer", "minimum": 0, "maximum": 23},
                            "y": {"type": "integer", "minimum": 0},
                        },
                    },
                    "datasource": {"const": {"type": "prometheus", "uid": "${datasource}"}},
                    "fieldConfig": {
                        "type": "object",
                        "required": ["defaults", "overrides"],
                        "properties": {
                            "defaults": {
                                "required": ["unit"],
                                "additionalProperties": False,
                                "properties": {
                                    "unit": {
                                        "enum": [
                                            *[
                                                "s",
                                                "ms",
                                                "d",
                                                "short",
                                                "bytes",
                                                "reqps",
                                                "ops",
                                                "percentunit",
                                            ],
                                            "bool",
                                            "bool_on_off",
                                        ]
                                    },
                                    "min": {"type": "number"},
                                    "max": {"type": "number"},
                                },
                            },
                            "overrides": {"type": "array"},
                        },
                    },
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["refId", "expr", "legendFormat"],
                            "additionalProperties": False,
                            "properties": {
                                "refId": {"pattern": "^[A-Z]$"},
                                "expr": {"type": "string", "minLength": 1},
                                "legendFormat": {"type": "string"},
                            },
                        },
                    },
                },
            },
        },
    },
}


def test_the_dashboard_is_one_of_grafana_and_its_panels_do_not_overlap() -> None:
    jsonschema_rs.validate(_SCHEMA, DASHBOARD)
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
        for panel in panels
        for dx in range(panel["gridPos"]["w"])
        for dy in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_a_query_asks_for_what_exists(query: str) -> None:
    known = list_names() | _ENVOY
    names = list_metrics(query)
    assert names
    assert names <= set(known)
    labels = set(re.findall(r"[{,]\s*(\w+)\s*[=!]~?", query))
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        labels |= {label.strip() for label in grouped.split(",")}
    assert labels <= set().union(*(known[name] for name in names))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_names_a_runbook(rule: dict[str, dict[str, str]]) -> None:
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    titles = re.findall(r"^## (.+)$", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_every_alert_is_tested_for_firing_and_for_staying_quiet() -> None:
    cases = [
        (case["alertname"], bool(case["exp_alerts"]))
        for group in yaml.safe_load((GRAFANA / "alerts.test.yaml").read_text("utf-8"))["tests"]
        for case in group["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in RULES}
    assert {name for name, fires in cases if fires} == names
    assert {name for name, fires in cases if not fires} == names


@pytest.mark.parametrize(
    "arguments", [("test", "rules", "alerts.test.yaml"), ("check", "config", "prometheus.yaml")]
)
def test_promtool_accepts_the_rules_their_tests_and_the_configuration(arguments: tuple[str, ...]) -> None:
    program = find_program("promtool")
    if program is None:
        pytest.skip(
            "promtool is missing: `make promtool` fetches Debian's, which Prometheus' own package has too"
        )
    done = subprocess.run(
        [program, *arguments], cwd=GRAFANA, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout + done.stderr


def test_prometheus_looks_for_targets_where_make_run_writes_them() -> None:
    (job,) = yaml.safe_load((GRAFANA / "prometheus.yaml").read_text("utf-8"))["scrape_configs"]
    (files,) = job["file_sd_configs"]
    # Prometheus reads paths relative to the configuration's folder.
    assert [(GRAFANA / Path(file)).resolve() for file in files["files"]] == [
        ROOT / ".proximity" / "metrics.json"
    ]
    assert ALERTS["groups"]
