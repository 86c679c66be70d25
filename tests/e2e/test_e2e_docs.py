"""What the README and docs/ tell people to type works, block after block, against a running platform.

A block of commands after the line `<!-- run -->` is run here, with this platform in place of the one on port 8000.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.stack import PASSWORD, RunningStack
from tests.pages import ROOT, list_blocks, list_pages, run_commands

PAGES = [page for page in list_pages() if any(block.mark == "run" for block in list_blocks(page))]
LIMIT_S = 300.0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_work(page: Path, stack: RunningStack, tmp_path: Path) -> None:
    script = "".join(block.text for block in list_blocks(page) if block.mark == "run")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROXIMITY_")} | {
        "PASSWORD": PASSWORD,
        "PROXIMITY_CONFIG_DIR": str(tmp_path),
        "PROXIMITY_STATE_DIR": str(stack.state),
    }
    said = run_commands(
        script.replace("http://127.0.0.1:8000", stack.url), environment=environment, timeout=LIMIT_S
    )
    assert '"error"' not in said, said
