"""The catalog puts the same values in place of variables as Compose, and refuses what Compose refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.apps.domain.compose import render_env_file
from services.catalog.domain.renderer.interpolation import InterpolationError, interpolate_text
from tests.contract.compose.judge import ComposeError, find_program, read_environment
from tests.properties import count_examples
from tests.pvesim.guest.docker.interpolation import interpolate
from tests.pvesim.guest.docker.state import DockerError

PIECES = st.sampled_from(
    [
        "$",
        "$$",
        "${",
        "}",
        "{",
        "{}",
        "SET",
        "EMPTY",
        "UNSET",
        "A1",
        ":-",
        "-",
        ":?",
        "?",
        ":+",
        "+",
        ":",
        '"a"',
        " ",
        "x",
    ]
)
OPERATORS = st.sampled_from([":-", "-", ":+", "+", ":?", "?"])
NAMES = st.sampled_from(["SET", "EMPTY", "UNSET"])
JSON = st.sampled_from(
    ['{"a":{}}', "{}", '{"a":{"b":[1,{}]},"c":2}', "{{ x }}", "plain", '{"a":"}"}', "{", "é漢", "a:b"]
)
NESTED = st.recursive(
    st.one_of(JSON, NAMES.map("${{{}}}".format), NAMES.map("${}".format), PIECES),
    lambda inner: (
        st.builds("${{{}{}{}}}".format, NAMES, OPERATORS, inner) | st.builds("{}{}".format, inner, inner)
    ),
    max_leaves=6,
)
TEXTS = st.one_of(NESTED, st.lists(PIECES, max_size=8).map("".join))
VALUES = {"SET": '{"log":1}', "EMPTY": "", "A1": "$SET ${SET}"}
ENV_FILE = render_env_file(VALUES)


@pytest.fixture(scope="module")
def program() -> Path:
    return find_program()


def _ask_compose(program: Path, text: str) -> str | None:
    try:
        return read_environment(program, {"TEXT": text}, ENV_FILE)["TEXT"]
    except ComposeError:
        return None


def _ask_catalog(text: str) -> str | None:
    try:
        return interpolate_text(text, VALUES)
    except InterpolationError:
        return None


def _ask_simulator(text: str) -> str | None:
    try:
        return str(interpolate(text, VALUES, where="TEXT", warn=lambda _: None))
    except DockerError:
        return None


@pytest.mark.parametrize(
    "text",
    [
        '${SET:-{"a":{}}}',
        '${UNSET:-{"a":{}}}',
        '${SET:-{"log":{"level":"info"}}}',
        '${UNSET:-{"log":{"level":"info"}}}',
        '${SET:+{"a":{}}}',
        '${UNSET:-${EMPTY:-{"a":{}}}}',
        "${UNSET:-a{b}c} ${SET}",
        "${UNSET:?give it} x",
        "${SET:?give it} x",
        "${SET:-${UNSET:?nested}}",
        "a$ b$1 c$",
        "$$SET $${SET}",
        "${SET",
        "${}",
        "${UNSET:-a\nb}",
    ],
)
def test_braces_defaults_and_dollars_are_read_as_compose_does(program: Path, text: str) -> None:
    assert (_ask_catalog(text), _ask_simulator(text)) == (_ask_compose(program, text),) * 2


@settings(max_examples=count_examples(120))
@given(text=TEXTS)
def test_any_text_is_read_as_compose_does(program: Path, text: str) -> None:
    assert (_ask_catalog(text), _ask_simulator(text)) == (_ask_compose(program, text),) * 2
