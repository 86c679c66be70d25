"""What the README and docs/ tell people to type works, block after block, against a running platform.

A block of commands after the line `<!-- run -->` is run here, with this platform in place of the one on port 8000.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.stack import PASSWORD, RunningStack

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if BLOCK.search(page.read_text("utf-8"))
]
LIMIT_S = 110
# What is installed stays as it is: `make` is told that the environment is new enough.
PREAMBLE = 'set -euo pipefail\nmake() { command make --no-print-directory -o .venv/.installed "$@"; }\n'


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_work(page: Path, stack: RunningStack, tmp_path: Path) -> None:
    script = PREAMBLE + "".join(BLOCK.findall(page.read_text("utf-8")))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROXIMITY_")}
    done = subprocess.run(
        ["bash", "-c", script.replace("http://127.0.0.1:8000", stack.url)],
        env={
            **environment,
            "PASSWORD": PASSWORD,
            "PROXIMITY_CONFIG_DIR": str(tmp_path),
            "PROXIMITY_STATE_DIR": str(stack.state),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"error"' not in done.stdout, done.stdout
