"""`python -m services COMMAND`: the service that PROXIMITY_SERVICE names; the entry point of its image."""

from __future__ import annotations

import os
import runpy
import sys

from services.registry import SERVICES

_name = os.environ.get("PROXIMITY_SERVICE", "")
if _name not in SERVICES:
    sys.exit(f"PROXIMITY_SERVICE is {_name!r}, not one of {', '.join(SERVICES)}")
runpy.run_module(f"services.{_name}", run_name="__main__", alter_sys=True)
