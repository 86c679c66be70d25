"""Makes the generated code of `gen/` importable as `proximity.<service>.v1`."""

import sys
from pathlib import Path

GENERATED = Path(__file__).parent / "gen"
IMAGE = GENERATED / "proximity.binpb"

if str(GENERATED) not in sys.path:
    sys.path.insert(0, str(GENERATED))
