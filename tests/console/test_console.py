"""The web console in Chromium against a whole platform; the walks are in `gateway/console/tests`, one file each."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.console.source import publish_version
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack

TOP = Path(__file__).parents[2]
CONSOLE = TOP / "gateway" / "console"
VITEST = CONSOLE / "node_modules" / ".bin" / "vitest"
PICTURES = TOP / "build" / "pictures" / "console"
WALKS = sorted(each.name for each in (CONSOLE / "tests").glob("*.test.ts"))
WALK_LIMIT_S = 600  # of one file on a busy machine

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
missing = [
    name
    for name, found in (
        ("Node.js", shutil.which("node")),
        ("Chromium", CHROMIUM),
        ("gateway/console/node_modules (make console)", VITEST.exists()),
    )
    if not found
]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"the console was not tried in a browser: {', '.join(missing)} is missing"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path_factory.mktemp("console"), PVESIM_TASK_SECONDS="0.4")
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def control(stack: RunningStack) -> Iterator[str]:
    """An address where a walk changes what is around it: POST /kill/apps-worker, POST /publish/1.1.0."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            _, verb, name = self.path.split("/")
            if verb == "kill":
                stack.find_process(name).kill()
            else:
                publish_version(stack, name)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.timeout(WALK_LIMIT_S + 60)
@pytest.mark.parametrize("walk", WALKS)
def test_walk(stack: RunningStack, control: str, walk: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "CI": "1",  # plain output
        "CONSOLE_URL": stack.url,
        "CONSOLE_USERNAME": USERNAME,
        "CONSOLE_PASSWORD": PASSWORD,
        "CONSOLE_CONTROL": control,
        "CONSOLE_PICTURES": str(PICTURES),
        "CHROMIUM": CHROMIUM or "",
    }
    done = subprocess.run(
        [str(VITEST), "run", "--config", "vitest.browser.config.ts", f"tests/{walk}"],
        cwd=CONSOLE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=WALK_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
