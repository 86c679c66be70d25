"""The command line in processes of its own, as a person or a program runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.stack import PASSWORD, USERNAME

ROOT = Path(__file__).parents[2]
PATHS = (ROOT / "clients" / "python", ROOT / "protos" / "gen")
LIMIT_S = 300.0


class Terminal:
    """Runs commands, each in a process of its own, with a session of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROXIMITY_")}
        paths = os.pathsep.join(str(path) for path in PATHS)
        self.environment = {
            **kept,
            "COLUMNS": "40",  # counts at a terminal only: nothing is wrapped in a pipe
            "PROXIMITY_CONFIG_DIR": str(directory),
            "PYTHONPATH": paths,
            **environment,
        }

    def run(self, *arguments: str, status: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "proximity_cli", *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        return done

    def read(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def sign_in(self, url: str, *options: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        arguments = ("login", url, "--username", USERNAME, "--password-stdin", *options)
        return self.run(*arguments, stdin=f"{PASSWORD}\n", status=status)
