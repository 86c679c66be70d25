"""What an operator sees: one trace of a deployment, metrics of every process, and errors without anybody's secrets."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from services.registry import PROCESSES
from tests.contract.deploy.monitoring import GRAFANA, QUERIES, RULES, find_program, list_metrics
from tests.e2e.stack import PASSWORD, RunningStack, find_port
from tests.fakes.sinks import TraceSink, serve_sink

_LIMIT_S = 300.0
_ERROR = Status.StatusCode.STATUS_CODE_ERROR


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningStack, TraceSink]]:
    """A platform whose traces come here and whose metrics are served."""
    sink = TraceSink()
    with serve_sink(sink) as port:
        stack = RunningStack(
            tmp_path_factory.mktemp("observed") / "state",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            PROXIMITY_METRICS="1",
        )
        yield stack, sink
        stack.stop()


def wait_for(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def has_span(sink: TraceSink, trace_id: str, name: str) -> bool:
    return any(span.name == name for _, span in sink.list_trace(trace_id))


def find_orphans(sink: TraceSink, trace_id: str) -> list[str]:
    """Spans whose parent nobody has sent."""
    spans = [span for _, span in sink.list_trace(trace_id)]
    known = {span.span_id for span in spans}
    return [span.name for span in spans if span.parent_span_id and span.parent_span_id not in known]


@pytest.mark.timeout(900)
def test_one_trace_leads_from_the_request_to_the_last_call_of_proxmox(
    observed: tuple[RunningStack, TraceSink],
) -> None:
    stack, sink = observed
    api = stack.sign_in()
    app = api.send("POST", "/apps", {"catalog_id": "adminer", "hostname": "traced-1"})
    wait_for(lambda: api.send("GET", f"/apps/{app['id']}")["status"] == "running")
    [operation] = api.send("GET", f"/apps/{app['id']}/operations")["operations"]
    trace_id = operation["trace_id"]
    expected = {"proximity-gateway", "proximity-apps", "proximity-apps-worker", "proximity-inventory"}
    wait_for(lambda: expected <= {service for service, _ in sink.list_trace(trace_id)})
    steps = {step["name"] for step in operation["steps"]}
    wait_for(lambda: steps <= {span.name for _, span in sink.list_trace(trace_id)})
    for message in ("jobs.apps.v1.run_operation", "events.apps.v1.app_deployed"):
        wait_for(partial(has_span, sink, trace_id, f"publish {message}"))
    wait_for(partial(has_span, sink, trace_id, "process jobs.apps.v1.run_operation"))
    made, started, probed = (f"/nodes/{{}}/lxc{rest}" for rest in ("", "/{}/status/start", "/{}/interfaces"))
    # Each process sends its spans when it has time to.
    for name in (
        f"POST {made}",
        f"POST {started}",
        f"GET {probed}",
        "/proximity.apps.v1.AppsService/DeployApp",
    ):
        wait_for(partial(has_span, sink, trace_id, name))
    wait_for(lambda: not find_orphans(sink, trace_id))


@pytest.mark.timeout(900)
def test_every_process_counts_what_it_does(observed: tuple[RunningStack, TraceSink]) -> None:
    stack, _ = observed
    targets = {
        each["labels"]["process"]: each["targets"][0]
        for each in json.loads((stack.state / "metrics.json").read_text())
    }
    assert set(targets) == {*PROCESSES, "gateway"}
    targets.pop("gateway")  # Envoy's, see below
    text = {
        name: requests.get(f"http://{target}/metrics", timeout=10).text for name, target in targets.items()
    }
    for name, page in text.items():
        assert "proximity_nats_connected 1.0" in page, name
    assert (
        'proximity_rpc_seconds_count{code="OK",method="/proximity.auth.v1.AuthService/Login"}' in text["auth"]
    )
    assert 'proximity_operations_ended_total{kind="deploy_app",status="succeeded"}' in text["apps-worker"]
    assert (
        'proximity_proxmox_seconds_count{method="post",outcome="done",path="/nodes/{}/lxc"}'
        in text["inventory"]
    )
    assert "proximity_operations_oldest_seconds" in text["apps-worker"]


def read_metrics(stack: RunningStack) -> set[str]:
    """The names of the metrics that all processes serve together, also of those without a value yet."""
    names: set[str] = set()
    for each in json.loads((stack.state / "metrics.json").read_text()):
        path = each["labels"].get("__metrics_path__", "/metrics")
        page = requests.get(f"http://{each['targets'][0]}{path}", timeout=10).text
        for kind, name in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
            names |= {kind, *([f"{kind}_bucket", f"{kind}_count"] if name == "histogram" else [])}
    return names


@pytest.mark.timeout(900)
def test_a_running_platform_serves_every_metric_of_the_dashboard_and_the_alerts(
    observed: tuple[RunningStack, TraceSink],
) -> None:
    stack, _ = observed
    stack.sign_in()  # Envoy shows what has counted something
    wanted = set().union(*map(list_metrics, [*QUERIES, *(str(rule["expr"]) for rule in RULES)])) - {"up"}
    missing: set[str] = set()

    def has_all() -> bool:
        missing.clear()
        missing.update(wanted - read_metrics(stack))
        return not missing

    wait_for(has_all)
    assert len(wanted) > 25


@pytest.mark.timeout(900)
def test_prometheus_scrapes_every_process_and_evaluates_every_rule_and_panel(
    observed: tuple[RunningStack, TraceSink], tmp_path: Path
) -> None:
    program = find_program("prometheus")
    if program is None:
        pytest.skip("prometheus is missing: `make promtool` fetches Debian's")
    stack, _ = observed
    # The layout of a checkout, with the state directory where `make run` has it by default.
    shutil.copytree(GRAFANA, tmp_path / "deploy" / "grafana")
    (tmp_path / ".proximity").symlink_to(stack.state)
    port = find_port()
    command = [program, "--config.file=deploy/grafana/prometheus.yaml", "--storage.tsdb.path=data"]
    listen = f"--web.listen-address=127.0.0.1:{port}"
    with subprocess.Popen([*command, listen], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}/api/v1"
            states: dict[str, str] = {}

            def are_up() -> bool:
                with contextlib.suppress(requests.RequestException):
                    found = requests.get(f"{url}/targets", timeout=10).json()["data"]["activeTargets"]
                    states.update({one["labels"]["process"]: one["health"] for one in found})
                return bool(states) and set(states.values()) == {"up"}

            wait_for(are_up)
            assert set(states) == {*PROCESSES, "gateway"}

            def list_rules() -> list[dict[str, str]]:
                groups = requests.get(f"{url}/rules", timeout=10).json()["data"]["groups"]
                return [rule for group in groups for rule in group["rules"]]

            wait_for(lambda: {rule["health"] for rule in list_rules()} == {"ok"})
            assert {rule["name"] for rule in list_rules()} == {rule["alert"] for rule in RULES}
            for query in QUERIES:
                answer = requests.get(f"{url}/query", params={"query": query}, timeout=10).json()
                assert answer["status"] == "success", (query, answer)
        finally:
            process.terminate()


@pytest.mark.timeout(900)
def test_logs_and_spans_name_the_app_and_the_operation_and_look_ups_are_no_errors(
    observed: tuple[RunningStack, TraceSink],
) -> None:
    stack, sink = observed
    api = stack.sign_in()
    app = api.send("POST", "/apps", {"catalog_id": "adminer", "hostname": "named-1"})
    wait_for(lambda: api.send("GET", f"/apps/{app['id']}")["status"] == "running")
    [operation] = api.send("GET", f"/apps/{app['id']}/operations")["operations"]
    lines = [
        json.loads(line)
        for line in (stack.state / "logs" / "apps-worker.log").read_text().splitlines()
        if operation["id"] in line and line.startswith("{")
    ]
    assert lines
    assert {line.get("app_id") for line in lines} == {app["id"]}
    steps = {step["name"] for step in operation["steps"]}
    wait_for(lambda: steps <= {span.name for _, span in sink.list_trace(operation["trace_id"])})
    create = "/proximity.inventory.v1.ContainerService/CreateContainer"
    wait_for(lambda: has_span(sink, operation["trace_id"], create))
    wait_for(lambda: not find_orphans(sink, operation["trace_id"]))
    spans = [span for _, span in sink.list_trace(operation["trace_id"])]
    named = {span.name: read_attributes(span) for span in spans}
    for step in steps:
        assert named[step]["operation_id"] == operation["id"], step
        assert named[step]["app_id"] == app["id"], step
    assert named[create]["app_id"] == app["id"]
    # A deployment looks whether its container exists already: that it does not is the expected answer.
    assert [span.name for span in spans if span.status.code == _ERROR] == []


def read_attributes(span: Span) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


@pytest.mark.timeout(900)
def test_traces_name_no_secret(observed: tuple[RunningStack, TraceSink]) -> None:
    stack, sink = observed
    said = " ".join(str(span) for _, span in sink.spans)
    assert said
    for secret in (PASSWORD, stack.simulator["password"], stack.simulator["token_secret"]):
        assert secret not in said
    for file in Path(stack.state / "logs").iterdir():
        assert PASSWORD not in file.read_text(errors="replace"), file.name
