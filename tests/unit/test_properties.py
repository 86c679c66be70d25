"""Properties try the same examples in every run, unless a search is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def draw_examples(profile: str | None, *, ci: bool = False) -> list[int]:
    """Run a property in a process of its own; hypothesis itself chooses another profile where CI is set."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("HYPOTHESIS_PROFILE", "CI")
    }
    chosen = ({"HYPOTHESIS_PROFILE": profile} if profile else {}) | ({"CI": "true"} if ci else {})
    program = [sys.executable, "-c", _DRAW]
    done = subprocess.run(
        program, cwd=ROOT, env=environment | chosen, capture_output=True, text=True, timeout=120, check=True
    )
    return [int(number) for number in done.stdout.strip("[]\n").split(", ")]


@pytest.mark.parametrize("ci", [False, True])
def test_every_run_tries_the_same_examples(ci: bool) -> None:
    assert draw_examples(None, ci=ci) == draw_examples(None)


@pytest.mark.parametrize("ci", [False, True])
def test_a_search_tries_more_and_new_examples(ci: bool) -> None:
    first, second = draw_examples("search", ci=ci), draw_examples("search", ci=ci)
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
