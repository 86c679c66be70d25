"""Clients that are programs of their own on the walk."""

from __future__ import annotations

import os
import subprocess
import uuid

from tests.e2e.stack import PASSWORD, USERNAME, RunningStack
from tests.e2e.stock.walk import STEPS

WALK_LIMIT_S = 300


def name_host(client: str) -> str:
    return f"{client.replace('_', '-')}-{uuid.uuid4().hex[:8]}"


def take_walk(stack: RunningStack, client: str, *command: str, **settings: str) -> None:
    """Run a client's program, which reports each step on a line."""
    given = {
        "PROXIMITY_URL": stack.url,
        "PROXIMITY_USERNAME": USERNAME,
        "PROXIMITY_PASSWORD": PASSWORD,
        "PROXIMITY_HOSTNAME": name_host(client),
    }
    done = subprocess.run(
        command, env=os.environ | given | settings, capture_output=True, text=True, timeout=WALK_LIMIT_S
    )
    assert (done.returncode, done.stdout.splitlines()) == (0, STEPS), done.stderr
