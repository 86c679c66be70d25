"""Every command of every page is run by a test, or says why none can, and then is checked as far as it can be."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from proximity_cli.__main__ import build_app

from deploy.configuration import list_names
from tests.contract.deploy.compose import COMPOSE
from tests.pages import ROOT, Block, list_blocks, list_inline, list_pages
from tests.sources import list_files

BLOCKS = [block for page in list_pages() for block in list_blocks(page)]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
# What is checked of what is said within sentences; test_documentation looks up plain targets of make.
WITHIN_SENTENCES = re.compile(r"(docker|kubectl) .|make .*=")
SYSTEMD_UNIT = ROOT / "deploy" / "systemd" / "proximity.service"
FROM_ELSEWHERE = {"statefulset/nats"}  # made by the chart of NATS


def test_there_are_commands() -> None:
    assert len(BLOCKS) > 20


@pytest.mark.parametrize(
    "block", BLOCKS, ids=lambda block: f"{block.page}: {block.text.splitlines()[0][:40]}"
)
def test_a_block_says_who_runs_it(block: Block) -> None:
    """`<!-- run -->` before it, or one of the other marks of `tests.pages`."""
    by = re.fullmatch(r"run by (tests/\S+\.py)", block.mark)
    if by:
        assert block.page in (ROOT / by[1]).read_text("utf-8"), f"{by[1]} does not name {block.page}"
    else:
        assert block.mark == "run" or re.fullmatch(r"not run: .{5,}", block.mark), block


@pytest.mark.parametrize(
    "command",
    [line for block in BLOCKS if block.mark.startswith("not run") for line in block.text.splitlines()],
)
def test_a_command_that_nobody_runs_could_be(command: str) -> None:
    check_command(command)


@pytest.mark.parametrize("page", list_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_within_a_sentence_could_be_run(page: Path) -> None:
    for said in list_inline(page):
        if WITHIN_SENTENCES.match(said):
            check_command(said)


def check_command(command: str) -> None:
    """Fail where a command cannot be right; one of a program that is not known here has to be run."""
    words = shlex.split(command, comments=True)
    if words[0].startswith(("--", "[")):  # goes on from the line before
        words = ["python", "-m", "tests.pvesim", *words]
    if redirections := [number for number, word in enumerate(words) if word in {"<", ">"}]:
        words = words[: redirections[0]]  # files of the reader
    while words and (variable := re.fullmatch(r"([A-Z_]+)=.*", words[0])):
        assert variable[1] in list_names(), f"{variable[1]} is no setting"
        words = words[1:]
    program = {"python": _check_module, ".venv/bin/python": _check_module} | _CHECKS
    assert words[0] in program, f"nobody can check `{command}`: let a test run it"
    program[words[0]](words[1:])


def _check_make(words: list[str]) -> None:
    """What it would do can be told, and every module that it would start is there."""
    words = [word.rstrip("…") for word in words]
    told = subprocess.run(
        [
            "make",
            "--dry-run",
            "--no-print-directory",
            "-o",
            ".venv/.installed",
            "-o",
            ".venv/.client",
            *words,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0, told.stderr
    for word in words:
        if "=" in word:
            assert re.search(rf"\(({word.partition('=')[0]})\W", MAKEFILE), f"nothing reads {word}"


def _check_docker(words: list[str]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    if words == ["compose"]:
        return  # the name of the program
    if words[0] == "compose":
        compose = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
        profiles = {profile for service in compose.values() for profile in service.get("profiles", ())}
        parser.add_argument("-f", dest="files", action="append", type=_existing)
        parser.add_argument("--profile", choices=profiles)
        commands = parser.add_subparsers(required=True)
        up = commands.add_parser("up", allow_abbrev=False)
        for flag in ("--build", "--wait", "--watch", "--force-recreate"):
            up.add_argument(flag, action="store_true")
        up.add_argument("services", nargs="*", type=lambda name: list(compose)[list(compose).index(name)])
        commands.add_parser("config")
        commands.add_parser("logs").add_argument("service", choices=compose, nargs="?")
        execute = commands.add_parser("exec")
        execute.add_argument("service", choices=compose)
        execute.add_argument("command", nargs=argparse.REMAINDER)
        commands.add_parser("restart").add_argument("service", choices=compose)
    elif len(words) > 1:
        parser.add_argument("-f", type=_existing)
        parser.add_argument("--target", choices=re.findall(r"^FROM .* AS (\w+)$", DOCKERFILE, re.MULTILINE))
        parser.add_argument("--build-arg", type=_build_argument)
        parser.add_argument("-t")
        parser.add_argument("folder", type=_existing)
    parser.parse_args(words[1:])


def _existing(path: str) -> str:
    assert (ROOT / path).exists(), path
    return path


def _build_argument(said: str) -> str:
    assert f"ARG {said.partition('=')[0]}" in DOCKERFILE, said
    return said


def _check_kubectl(words: list[str]) -> None:
    """Objects, folders and variables that it names are there."""
    for word in words:
        kind, _, name = word.partition("/")
        if (ROOT / word).is_dir():
            assert (ROOT / word / "kustomization.yaml").is_file(), word
        elif name:
            assert word in FROM_ELSEWHERE or (kind, name) in set(_list_objects()), word
        elif "=" in word:
            assert word.partition("=")[0] in list_names(), word


def _list_objects() -> Iterator[tuple[str, str]]:
    for file in (ROOT / "deploy" / "kubernetes" / "base").glob("*.yaml"):
        for each in yaml.safe_load_all(file.read_text("utf-8")):
            yield each["kind"].lower(), each.get("metadata", {}).get("name", "")


def _check_module(words: list[str]) -> None:
    """Every option stands in its help."""
    assert words[0] == "-m", words
    help_text = _read_help(words[1])
    for option in re.findall(r"--[a-z-]+", " ".join(words[2:])):
        assert re.search(rf"{option}\b", help_text), option


@cache
def _read_help(module: str) -> str:
    asked = [sys.executable, "-m", module, "--help"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def _check_files(words: list[str]) -> None:
    """The files of the repository that it names are there."""
    named = [word.partition("=")[2] if word.startswith("--") else word for word in words]
    for word in named:
        assert not word.startswith("deploy/") or (ROOT / word).is_file(), word


def _check_git(words: list[str]) -> None:
    assert words[0] in {"clone", "fetch", "checkout"}, words


def _check_npm(words: list[str]) -> None:
    prefix, folder, run, script = words
    assert (prefix, run) == ("--prefix", "run")
    assert script in json.loads((ROOT / folder / "package.json").read_text("utf-8"))["scripts"]


def _check_apt(words: list[str]) -> None:
    [packages] = re.findall(r"^GO_PACKAGES := (.*)$", MAKEFILE, re.MULTILINE)
    assert words == ["install", *packages.split()]


def _check_export(words: list[str]) -> None:
    read = "\n".join(file.read_text("utf-8") for file in list_files(ROOT / "clients", "*.[tg][so]"))
    for word in words:
        assert word.partition("=")[0] in read, word


def _check_example(words: list[str]) -> None:
    assert words == []
    assert "-o build/clients/go/example" in MAKEFILE


def _check_useradd(words: list[str]) -> None:
    """The account of the unit, at home in its state."""
    unit = SYSTEMD_UNIT.read_text("utf-8")
    assert f"User={words[-1]}\n" in unit
    assert f"PROXIMITY_STATE_DIR={words[words.index('--home-dir') + 1]} " in unit


def _check_install(words: list[str]) -> None:
    """What is copied exists, and the unit reads it where it is put."""
    source, target = words[-2:]
    assert (ROOT / source).is_file(), source
    assert target.endswith(SYSTEMD_UNIT.name) or f"EnvironmentFile=-{target}" in SYSTEMD_UNIT.read_text(
        "utf-8"
    )


def _check_unit(words: list[str]) -> None:
    assert words[-1] == SYSTEMD_UNIT.stem


def _check_read(words: list[str]) -> None:
    assert words == ["-rs", "PASSWORD"]  # of bash


def _check_proximity(words: list[str]) -> None:
    """The command line takes the command with these options and arguments; what they name is not looked up."""
    program: Any = typer.main.get_command(build_app())
    context = program.make_context("proximity", [*words])
    name, command, rest = program.resolve_command(context, words)
    command.make_context(name, rest, parent=context)


_CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": _check_make,
    "docker": _check_docker,
    "kubectl": _check_kubectl,
    "npm": _check_npm,
    "apt": _check_apt,
    "export": _check_export,
    "build/clients/go/example": _check_example,
    "read": _check_read,
    "git": _check_git,
    "grep": _check_files,
    "prometheus": _check_files,
    "build/tools/usr/bin/promtool": _check_files,
    "useradd": _check_useradd,
    "install": _check_install,
    "systemctl": _check_unit,
    "journalctl": _check_unit,
    "proximity": _check_proximity,
}
