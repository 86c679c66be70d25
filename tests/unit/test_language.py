"""The language of the source: words with one meaning, docstrings that state contracts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


# Words that a folder does not use any more, because they stand for several things or for none of the field's terms.
# Add a word to a folder once it is clean there; `*` is every folder.
# Names of columns are exempt: a release renames none that the release before it reads.
_UNCLEAR = ("_?held", "_?kept", "_?asked", "told", "whoever")
WORDS = {
    "clients": _UNCLEAR,
    "deploy": _UNCLEAR,
    "docs": _UNCLEAR,
    "gateway": _UNCLEAR,
    "protos/proximity": _UNCLEAR,
    "services": ("as a rule", "goes the way"),
    "services/auth": (*_UNCLEAR, "surroundings", "stands around"),
    "services/catalog": _UNCLEAR,
    "services/apps": _UNCLEAR,
    "services/inventory": _UNCLEAR,
    "services/backups": _UNCLEAR,
    "services/clients": _UNCLEAR,
    "services/common": (*_UNCLEAR, "nobody waits", "surroundings", "stands around"),
}


@pytest.mark.parametrize("folder", WORDS)
def test_words_without_one_meaning_are_not_used(folder: str) -> None:
    pattern = re.compile("|".join(rf"\b{word}\b" for word in WORDS[folder]), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".md", ".proto"} and "node_modules" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line) and "sa.Column(" not in line
    ]
    assert found == []


PAGES = sorted(path.name for path in ROOT.glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_pages_use_words_with_one_meaning(page: str) -> None:
    pattern = re.compile("|".join(rf"\b{word}\b" for word in _UNCLEAR), re.IGNORECASE)
    lines = enumerate((ROOT / page).read_text().splitlines(), 1)
    assert [f"{page}:{number}: {line}" for number, line in lines if pattern.search(line)] == []


# Folders whose docstrings begin with a noun phrase or an imperative. Add a folder once it is clean.
PLAIN_DOCSTRINGS = (
    "services/auth",
    "services/common",
    "services/catalog",
    "services/apps",
    "services/inventory",
    "services/backups",
    "services/clients",
)
_HEADLESS = re.compile(r"(What|Who|Whose|Whoever|Where|How|Why|Which|Says|Tells|Looks)\b")


@pytest.mark.parametrize("folder", PLAIN_DOCSTRINGS)
def test_docstrings_begin_with_a_noun_phrase_or_an_imperative(folder: str) -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {text.splitlines()[0]}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, documented) and (text := ast.get_docstring(node)) and _HEADLESS.match(text)
    ]
    assert found == []
