"""What the pages tell people to type: every block of commands, with the mark before it that says who runs it.

| mark | means |
|---|---|
| `<!-- run -->` | `tests/e2e/test_e2e_docs.py` runs it, against a platform |
| `<!-- run by tests/… -->` | that test does, in the course of what it tests anyway |
| `<!-- not run: why -->` | nobody can here; `tests/unit/deploy/test_documented_commands.py` checks what can be checked |
"""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import markdown  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
_SEEN = ("*.md", "docs/**/*.md", "deploy/**/*.md", "clients/*/*.md", "tests/*/*.md", "gateway/*/*.md")
_BLOCK = re.compile(
    r'(?:<!-- (?P<mark>[^>]*?) -->\s*)?<pre><code(?: class="language-(?P<language>\w+)")?>(?P<text>.*?)</code></pre>',
    re.DOTALL,
)
_PREAMBLE = 'set -euo pipefail\nmake() { command make --no-print-directory -o .venv/.installed -o .venv/.client "$@"; }\n'
_INLINE = re.compile(r"<code>(.*?)</code>", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Commands as they stand on a page; `mark` is empty where there is none."""

    page: str
    mark: str
    text: str


@cache
def list_pages() -> list[Path]:
    """Every page that people read."""
    return sorted({page for pattern in _SEEN for page in ROOT.glob(pattern) if page.is_file()})


def list_blocks(page: Path) -> list[Block]:
    """The blocks of commands of a page: those in `sh`, and those that do not say in what they are."""
    name = str(page.relative_to(ROOT))
    return [
        Block(name, found["mark"] or "", html.unescape(found["text"]))
        for found in _BLOCK.finditer(_render(page))
        if (found["language"] or "sh") == "sh"
    ]


def list_inline(page: Path) -> list[str]:
    """What a page says as code within its sentences."""
    return [" ".join(html.unescape(text).split()) for text in _INLINE.findall(_BLOCK.sub("", _render(page)))]


def read_commands(page: str, *, by: str) -> list[str]:
    """The blocks of a page that the test in the file `by` runs, in order.

    Raises:
        LookupError: the page has none.
    """
    name = str(Path(by).resolve().relative_to(ROOT))
    found = [block.text for block in list_blocks(ROOT / page) if block.mark == f"run by {name}"]
    if not found:
        raise LookupError(f"{page} has no commands that {name} runs")
    return found


def run_commands(text: str, *, environment: Mapping[str, str], timeout: float) -> str:
    """Type commands in the repository's root, and return what they print.

    `make` is told that the environment is new enough, so that what is installed stays as it is.

    Raises:
        AssertionError: one failed.
    """
    done = subprocess.run(
        ["bash", "-c", _PREAMBLE + text],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def _render(page: Path) -> str:
    return str(markdown.markdown(page.read_text("utf-8"), extensions=["tables", "fenced_code"]))
