"""Tests hold on a machine that is busy: none asserts how many seconds something took, and waits are long."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.sources import list_files

TESTS = Path(__file__).parents[1]
MEASURING = ("bench", "replicas", "chaos")  # programs that report times
CLOCKS = {"monotonic", "perf_counter", "time"}
SHORTEST_S = 60.0  # a machine at load 20 does in a minute what an idle one does in two seconds


def read_files() -> Iterator[tuple[Path, str]]:
    for path in list_files(TESTS):
        if path.relative_to(TESTS).parts[0] not in MEASURING:
            yield path, path.read_text()


def is_duration(node: ast.AST) -> bool:
    """Whether an expression is the time since another: `time.monotonic() - began`."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
        return False
    names = {
        one.func.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
    }
    return bool(names & CLOCKS)


def test_no_test_asserts_that_something_took_less_than_a_time() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{check.lineno}"
        for path, text in read_files()
        if any(f".{clock}(" in text for clock in CLOCKS)
        for check in ast.walk(ast.parse(text))
        if isinstance(check, ast.Assert)
        for compare in ast.walk(check.test)
        if isinstance(compare, ast.Compare)
        and isinstance(compare.ops[0], ast.Lt | ast.LtE)
        and is_duration(compare.left)
    ]
    assert found == [], (
        "assert what happened instead, and leave it to the timeout of pytest to end a test that hangs"
    )


def test_a_limit_of_a_wait_is_long() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{number}: {line}"
        for path, text in read_files()
        for number, line in enumerate(text.splitlines(), start=1)
        if (limit := re.match(r"_?(?:[A-Z]+_)*LIMIT_S = (\d+(?:\.\d+)?)\b", line))
        and float(limit[1]) < SHORTEST_S
    ]
    assert found == []
