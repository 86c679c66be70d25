"""Scripts in the simulated shells and in the real ones of this machine."""

import asyncio
import shutil
import subprocess

from tests.pvesim.guest import World
from tests.unit.pvesim_guest.conftest import DEBIAN, make_guest

PATH = "/usr/bin:/bin"
SH = shutil.which("dash") or "/bin/sh"
TIMEOUT_S = 60


def run_simulated(script: str, *, shell: str = "sh") -> tuple[bytes, int]:
    """What a script prints in a guest of Debian, and its status."""
    world = World()
    done = asyncio.run(make_guest(DEBIAN, world=world).run([shell, "-c", script], world=world))
    return done.stdout, done.exit_code


def run_real(script: str, *, shell: str = SH) -> tuple[bytes, int]:
    """What a script prints in a shell of this machine, and its status."""
    done = subprocess.run(
        [shell, "-c", script], capture_output=True, timeout=TIMEOUT_S, cwd="/", env={"PATH": PATH}
    )
    return done.stdout, done.returncode
