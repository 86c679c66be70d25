"""What an operator sees: one trace of a deployment, metrics of every process, and errors without anybody's secrets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from services.registry import PROCESSES
from tests.e2e.stack import PASSWORD, RunningStack
from tests.fakes.sinks import TraceSink, serve_sink

_LIMIT_S = 120.0


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


@pytest.mark.timeout(400)
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
    names = {span.name for _, span in sink.list_trace(trace_id)}
    made, started, probed = (f"/nodes/{{}}/lxc{rest}" for rest in ("", "/{}/status/start", "/{}/interfaces"))
    assert names >= {f"POST {made}", f"POST {started}", f"GET {probed}"}, sorted(names)
    assert "/proximity.apps.v1.AppsService/DeployApp" in names
    wait_for(lambda: not find_orphans(sink, trace_id))


@pytest.mark.timeout(400)
def test_every_process_counts_what_it_does(observed: tuple[RunningStack, TraceSink]) -> None:
    stack, _ = observed
    targets = {
        each["labels"]["process"]: each["targets"][0]
        for each in json.loads((stack.state / "metrics.json").read_text())
    }
    assert set(targets) == set(PROCESSES)
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


@pytest.mark.timeout(400)
def test_traces_name_no_secret(observed: tuple[RunningStack, TraceSink]) -> None:
    stack, sink = observed
    said = " ".join(str(span) for _, span in sink.spans)
    assert said
    for secret in (PASSWORD, stack.simulator["password"], stack.simulator["token_secret"]):
        assert secret not in said
    for file in Path(stack.state / "logs").iterdir():
        assert PASSWORD not in file.read_text(errors="replace"), file.name
