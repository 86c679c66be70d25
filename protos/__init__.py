"""Makes the generated code of `gen/` importable as `proximity.<service>.v1`."""

import sys
from pathlib import Path

VERSION = "2.0.0"  # of the product: here, because every process has this package
GENERATED = Path(__file__).parent / "gen"
IMAGE = GENERATED / "proximity.binpb"

sys.path[:] = [
    str(GENERATED),
    *(part for part in sys.path if part != str(GENERATED)),
]  # before installed copies
