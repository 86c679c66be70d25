"""The mutations of the defences still fit the source: one whose text has moved would switch nothing off."""

from __future__ import annotations

import pytest

from tests.security.mutations import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.defence)
def test_a_mutation_names_text_and_a_test_that_exist(mutation: Mutation) -> None:
    source = (ROOT / mutation.file).read_text()
    assert mutation.old in source, f"{mutation.file} does not contain {mutation.old!r}"
    assert mutation.also[0] in source, f"{mutation.file} does not contain {mutation.also[0]!r}"
    path, _, name = mutation.test.partition("::")
    tests = (ROOT / path).read_text()
    assert not name or f"def {name.partition('[')[0].rpartition('::')[2]}(" in tests, f"{path} has no {name}"
