"""deploy/grafana as tests read it, and the programs of Prometheus where they are to be had."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import yaml

from tests.contract.deploy.compose import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboard.json").read_text("utf-8"))
ALERTS: dict[str, Any] = yaml.safe_load((GRAFANA / "alerts.yaml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
QUERIES: list[str] = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def list_metrics(query: str) -> set[str]:
    """List the metrics that a query asks for."""
    return set(re.findall(r"\b(proximity_\w+|envoy_(?:http_downstream|server)_\w+|up)\b", query)) - {
        "envoy_response_code_class",
        "envoy_http_conn_manager_prefix",
    }


def find_program(name: str) -> str | None:
    """Find `prometheus` or `promtool` in the path, or where `make promtool` puts them."""
    fetched = ROOT / "build" / "tools" / "usr" / "bin" / name
    return str(fetched) if fetched.is_file() else shutil.which(name)
