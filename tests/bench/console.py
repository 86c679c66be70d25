"""`python -m tests.bench.console`: how long a person waits for the web console, in Chromium against a whole platform."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.stack import PASSWORD, USERNAME, RunningStack

CONSOLE = Path(__file__).parents[2] / "gateway" / "console"
_LIMIT_S = 600.0  # of all rounds


def main() -> int:
    """Measure, print the times, and return the exit status."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or shutil.which("node") is None:
        sys.stderr.write("Chromium and Node.js are needed (Debian: apt install chromium npm)\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        stack = RunningStack(Path(folder) / "state", PVESIM_TASK_SECONDS="0.4")
        try:
            environment = os.environ | {
                "CHROMIUM": chromium,
                "CONSOLE_URL": stack.url,
                "CONSOLE_USERNAME": USERNAME,
                "CONSOLE_PASSWORD": PASSWORD,
            }
            command = ["node", "tests/times.mjs"]
            return subprocess.run(
                command, cwd=CONSOLE, env=environment, timeout=_LIMIT_S, check=False
            ).returncode
        finally:
            stack.stop()


if __name__ == "__main__":
    sys.exit(main())
