"""Whatever the OpenAPI document allows or excludes is tried: schemathesis on every operation, through a whole stack.

No answer is a 500, every status, header and body is a documented one, what the document excludes is refused, methods
that it does not name are 405, and what was deleted stays gone. `make fuzz` tries more: see FUZZ_EXAMPLES and
FUZZ_SECONDS.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.api.callers import read_object
from tests.contract.api.world import World
from tests.e2e.stack import RunningStack

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
SECONDS = int(os.environ.get("FUZZ_SECONDS", "25"))
# The seed makes a run repeatable where nothing else is asked for.
SEED = os.environ.get("FUZZ_SEED", "1")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A platform of its own: afterwards it is full of whatever occurred to the fuzzer."""
    more = {"REGISTRATIONS_PER_ADDRESS": "100000", "LOGIN_FAILURES_PER_ADDRESS": "100000"}
    running = RunningStack(tmp_path_factory.mktemp("fuzzed") / "state", **more)
    yield running
    running.stop()


def make_token(target: RunningStack) -> str:
    """A token that signing out does not end."""
    world = World(target)
    body = {"name": "fuzzer", "scopes": ["read", "write", "admin"]}
    token: str = read_object(world.send("POST", "/api/auth/tokens", caller="admin", json=body), 201)["token"]
    world.close()
    return token


@pytest.mark.timeout(SECONDS + 300)
def test_the_document_holds_whatever_is_sent(target: RunningStack, tmp_path: Path) -> None:
    program = Path(sysconfig.get_path("scripts")) / "schemathesis"
    # One worker: two threads of Python 3.11 that parse source at once, as hypothesis does, break each other's parser.
    arguments = [
        str(program), "--config-file", str(HERE / "schemathesis.toml"), "run", f"{target.url}/api/openapi.json",
        "--header", f"Authorization: Bearer {make_token(target)}", "--max-examples", str(EXAMPLES),
        "--max-time", str(SECONDS), "--workers", "1", "--continue-on-failure", "--seed", SEED, "--no-color",
    ]  # fmt: skip
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS + 240
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    assert "Tested: " in done.stdout
    assert target.process.poll() is None
    said = (target.state / "runner.log").read_text()
    assert "ended with status" not in said, f"a service died: {said[-2_000:]}"
