"""Properties try the same examples in every run, unless a search is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_DRAW = """
from hypothesis import given, settings, strategies
from tests.properties import count_examples, load_profile

load_profile()
drawn = []

@settings(max_examples=count_examples(10))
@given(strategies.integers())
def draw(number):
    drawn.append(number)

draw()
print(drawn)
"""


def draw_examples(profile: str | None) -> list[int]:
    environment = {name: value for name, value in os.environ.items() if name != "HYPOTHESIS_PROFILE"}
    chosen = {"HYPOTHESIS_PROFILE": profile} if profile else {}
    program = [sys.executable, "-c", _DRAW]
    done = subprocess.run(
        program, cwd=ROOT, env=environment | chosen, capture_output=True, text=True, timeout=120, check=True
    )
    return [int(number) for number in done.stdout.strip("[]\n").split(", ")]


def test_every_run_tries_the_same_examples() -> None:
    assert draw_examples(None) == draw_examples(None)


def test_a_search_tries_more_and_new_examples() -> None:
    first, second = draw_examples("search"), draw_examples("search")
    assert first != second
    assert min(len(first), len(second)) > 10 * len(draw_examples("steady"))


def test_no_module_makes_its_properties_random() -> None:
    """The profile decides: settings of single properties say how many examples, not which."""
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__) and path.name != "properties.py"
        if any(
            word in path.read_text() for word in ("derandomize", 'load_profile("', "hypothesis import seed")
        )
    ]
    assert found == []
