"""Compose reads every value out of our `.env` file exactly as it went in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.apps.domain.compose import render_env_file
from tests.contract.compose.judge import find_program, read_environment
from tests.properties import count_examples

# Control characters other than tab and line ends are refused before a value comes here.
CHARACTERS = st.one_of(
    st.sampled_from("\\'\"$#{}=:`!%&;~*?<>|()[] \t\n\r,.-_abcnrt0134xXé漢😀\u0085\u00a0\u2028\ufeff"),
    st.characters(exclude_categories=("Cc", "Cs", "Co"), exclude_characters="\ufffe\uffff"),
)
VALUES = st.lists(st.text(CHARACTERS, max_size=24), min_size=1, max_size=40)
AWKWARD = (
    "x\\",
    "x\\\\",
    "\\",
    "'",
    "'\\",
    '"\\',
    "\\'",
    "C:\\Users\\",
    "a\r\nb",
    "\r",
    "\n",
    "-----BEGIN KEY-----\nMII\n-----END KEY-----\n",
    '{"a": {"b": "$c"}}',
    "$2y$10$abc",
    "${HOME}'s",
    "$$'",
    " # not a comment",
    "#'",
    " leading and trailing ",
    "\\0134'",
    "\\n'",
    "\\$'",
    "",
)


@pytest.fixture(scope="module")
def program() -> Path:
    return find_program()


def _come_back(program: Path, values: list[str]) -> None:
    environment = {f"VALUE_{number}": value for number, value in enumerate(values)}
    references = {name: f"${{{name}}}" for name in environment}
    assert read_environment(program, references, render_env_file(environment)) == environment


def test_awkward_values_come_back_exactly(program: Path) -> None:
    _come_back(program, list(AWKWARD))


@settings(max_examples=count_examples(40))
@given(values=VALUES)
def test_any_values_come_back_exactly(program: Path, values: list[str]) -> None:
    _come_back(program, values)
