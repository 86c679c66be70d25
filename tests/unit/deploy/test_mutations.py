"""The list of mutations follows the code: each defence is still where it says, and the test that guards it exists."""

from __future__ import annotations

import ast

import pytest

from tests.security.mutations import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.defence)
def test_a_mutation_finds_its_defence_and_its_test(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    for old in filter(None, (mutation.old, mutation.also[0])):
        assert old in text, f"{mutation.file} has no {old!r} any more"
    file, _, name = mutation.test.partition("::")
    names = {
        node.name
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert name in names, f"{file} has no test {name}"
