"""The runner's own promises: it ends in time, leaves nothing behind, and starts again on what was there."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.e2e.stack import RunningStack, wait_until_gone


def answers_without_certificate(stack: RunningStack, service: str) -> bool:
    port = json.loads((stack.state / "run.json").read_text())["ports"][service]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
        except grpc.RpcError:
            return False
    return True


@pytest.mark.timeout(300)
def test_a_killed_stack_leaves_no_process_and_starts_again_with_its_data(tmp_path: Path) -> None:
    first = RunningStack(tmp_path / "state", PROXIMITY_MTLS="1")  # so is every service over mutual TLS
    first.sign_in().send("POST", "/core/settings/resources", {"default_memory_mb": 1024})
    pids = list(first.pids.values())
    assert len(pids) == 11
    first.kill()
    assert wait_until_gone(pids, timeout=10) == []

    second = RunningStack(tmp_path / "state", PROXIMITY_MTLS="1")
    try:
        settings = second.sign_in().send("GET", "/core/settings/resources")
        assert settings["default_memory_mb"] == 1024
        pids = list(second.pids.values())
        assert not answers_without_certificate(second, "apps")
        assert second.sign_in().send("GET", "/apps") == {"apps": [], "total": 0, "page": 1, "per_page": 20}
    finally:
        took = second.stop()
    assert took < 10
    assert second.process.returncode == 0
    assert wait_until_gone(pids, timeout=1) == []
