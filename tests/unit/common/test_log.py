"""The log: whoever cannot write it works on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
from services.common.core.log import configure_logging, get_logger
configure_logging("apps", debug=False)
for _ in range(3):
    get_logger().error("disk_full", detail="x" * 10_000)
print("done")
"""


def test_a_full_disk_costs_lines_of_the_log_and_nothing_else() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, stderr=full, timeout=60, check=True
        )
    assert done.stdout == b"done\n"


def test_lines_of_libraries_hold_no_control_characters() -> None:
    program = (
        "import logging; from services.common.core.log import configure_logging; configure_logging('x', debug=False);"
        "logging.getLogger('asyncssh').warning('host said %s', 'a\\x1b[2J\\x9bb\\r\\n\\tc')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert done.stderr.decode() == "asyncssh: host said a [2J b \n\tc\n"
