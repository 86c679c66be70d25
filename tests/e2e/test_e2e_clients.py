"""The clients in other languages: built as `make clients` does, each example run against the whole platform.

A language takes part where its toolchain is installed; the end of pytest's report says which ones do not.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.e2e.languages import list_languages
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack

ROOT = Path(__file__).parents[2]
EXAMPLES = {
    "typescript": (
        ("node", "clients/typescript/dist/examples/grpc.js"),
        ("node", "clients/typescript/dist/examples/rest.js"),
    ),
    "go": (("build/clients/go/example",),),
}
BUILD_LIMIT_S = 400
RUN_LIMIT_S = 120


def run_example(
    command: tuple[str, ...], stack: RunningStack, **settings: str
) -> subprocess.CompletedProcess[str]:
    chosen = {
        "PROXIMITY_URL": stack.url,
        "PROXIMITY_USERNAME": USERNAME,
        "PROXIMITY_PASSWORD": PASSWORD,
        "PROXIMITY_HOSTNAME": f"client-{uuid.uuid4().hex[:8]}",
    }
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **chosen, **settings},
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
    )


@pytest.mark.timeout(BUILD_LIMIT_S + 4 * RUN_LIMIT_S)
@pytest.mark.parametrize("language", list_languages())
def test_a_client_takes_an_app_through_its_life(language: str, stack: RunningStack) -> None:
    built = subprocess.run(
        ["make", f"clients-{language}"], cwd=ROOT, capture_output=True, text=True, timeout=BUILD_LIMIT_S
    )
    assert built.returncode == 0, built.stdout + built.stderr
    for command in EXAMPLES[language]:
        done = run_example(command, stack)
        assert done.returncode == 0, done.stdout + done.stderr
        said = done.stdout
        told = ["Reserving a container id", "is running", "is completed", "is restored", "is removed"]
        assert [text for text in told if text not in said] == []
        assert [said.index(text) for text in told] == sorted(said.index(text) for text in told)
    certificate = str(stack.state / "keys" / "gateway.crt")
    https = {"PROXIMITY_URL": f"https://127.0.0.1:{stack.port}", "PROXIMITY_CA": certificate}
    refused = run_example(EXAMPLES[language][0], stack, **https, PROXIMITY_PASSWORD="wrong")
    assert refused.returncode == 1
    assert "Wrong username or password" in refused.stderr
