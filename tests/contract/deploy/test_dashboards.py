"""deploy/grafana: each query asks for metrics that exist, each alert names a runbook that exists."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from prometheus_client import REGISTRY

from services.common.core.telemetry import instruments
from tests.contract.deploy.compose import ROOT

_GRAFANA = ROOT / "deploy" / "grafana"
_DASHBOARD = json.loads((_GRAFANA / "dashboard.json").read_text("utf-8"))
_ALERTS = yaml.safe_load((_GRAFANA / "alerts.yaml").read_text("utf-8"))
RULES = [rule for group in _ALERTS["groups"] for rule in group["rules"]]
QUERIES = [target["expr"] for panel in _DASHBOARD["panels"] for target in panel["targets"]]


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


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_a_query_asks_for_what_exists(query: str) -> None:
    known = list_names()
    names = set(re.findall(r"\b(proximity_\w+|up)\b", query))
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
