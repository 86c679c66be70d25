"""The catalog's importers and the simulated Docker read env files as Compose does, and refuse what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.domain.importers.env_file import EnvFileError, evaluate_env_file
from services.catalog.domain.renderer.interpolation import InterpolationError
from tests.contract.compose.judge import ComposeError, find_program, read_environment
from tests.properties import count_examples
from tests.pvesim.guest.docker.env_file import parse_env_file
from tests.pvesim.guest.docker.state import DockerError

NAMES = ("A", "B", "C")
VALUE_PIECES = st.sampled_from(
    [
        "'",
        '"',
        "\\",
        "\\n",
        "\\r",
        "\\t",
        "\\$",
        "\\\\",
        "\\0134",
        "\\0",
        "\\x",
        "$A",
        "${A}",
        "${B:-d}",
        "$$",
        "#",
        " #",
        "x",
        "é",
        " ",
        "\n",
        "\r\n",
        "=",
        ":",
    ]
)
LINES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "export ", " ", "# "]),
    st.sampled_from(["A", "B", "C", "A ", "b.c-d"]),
    st.sampled_from(["=", " = ", ":", "="]),
    st.lists(VALUE_PIECES, max_size=6).map("".join),
)
FILES = st.lists(LINES, max_size=4).map("\n".join)


@pytest.fixture(scope="module")
def program() -> Path:
    return find_program()


def _ask_compose(program: Path, text: str) -> dict[str, str] | None:
    try:
        return read_environment(program, {name: f"${{{name}-unset}}" for name in NAMES}, text)
    except ComposeError:
        return None


def _ask_simulator(text: str) -> dict[str, str] | None:
    try:
        return {name: parse_env_file(text).get(name, "unset") for name in NAMES}
    except DockerError:
        return None


def _ask_catalog(text: str) -> dict[str, str] | None:
    try:
        found = evaluate_env_file(text)
    except (EnvFileError, InterpolationError):
        return None
    return {name: found.get(name, "unset") for name in NAMES}


@pytest.mark.parametrize(
    "text",
    [
        "A='x\\'\nB='next'\n",
        "A='x\\\\'\nB='next'\n",
        "A='it\\'s'\n",
        "A='a'b\n",
        "A=\"x\\0134\"\nB='n'\n",
        'A="\\$B $$ \\" \\t \\n"\n',
        "A=x # comment\nB=x#none\n",
        "A='x' # comment\nB=2\n",
        "A: yaml\nB = spaced \n",
        "export A=1\nB=$A\nC='$A'\n",
        "A\nB=1\n",
        "A='open\nB=2\n",
        "A='two\nlines'\n",
        "1 2=3\n",
        "A=${B",
    ],
)
def test_what_env_files_may_hold_is_read_as_compose_does(program: Path, text: str) -> None:
    assert (_ask_simulator(text), _ask_catalog(text)) == (_ask_compose(program, text),) * 2


@settings(max_examples=count_examples(120))
@given(text=FILES)
def test_any_env_file_is_read_as_compose_does(program: Path, text: str) -> None:
    assert (_ask_simulator(text), _ask_catalog(text)) == (_ask_compose(program, text),) * 2
