"""What a person types and what local files hold: every fault is a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from proximity_cli.failures import CliError


def check_terminal(subject: str, *, remedy: str) -> None:
    """Refuse to prompt where nobody can answer.

    Raises:
        CliError: standard input is no terminal.
    """
    if not is_terminal():
        raise CliError(f"there is no terminal to prompt for {subject}", hint=remedy, status=2)


def is_terminal() -> bool:
    """Whether standard input is a terminal; it is None in a process that was started without one."""
    return sys.stdin is not None and sys.stdin.isatty()


def prompt(text: str, *, hidden: bool = False, twice: bool = False) -> str:
    """Prompt on the terminal for a text, hidden for a secret, and typed twice for a new one.

    Raises:
        KeyboardInterrupt: the person ended it.
    """
    if not hidden:
        return _ask(f"{text}: ")
    try:
        return str(typer.prompt(text, hide_input=True, confirmation_prompt=twice, err=True))
    except typer.Abort:
        raise KeyboardInterrupt from None


def confirm(question: str) -> None:
    """Prompt for a yes, which a terminal or a pipe gives.

    Raises:
        CliError: the answer is no, or there is none.
        KeyboardInterrupt: the person ended it.
    """
    try:
        answer = _ask(f"{question} [y/N]: ") if sys.stdin is not None else ""
    except KeyboardInterrupt:
        if is_terminal():
            raise
        answer = ""
    if not answer and not is_terminal():
        raise CliError("there is no terminal to confirm it", hint="give --yes", status=2)
    if answer.strip().lower() not in {"y", "yes"}:
        raise CliError("not confirmed; nothing was done")


def _ask(text: str) -> str:
    """Return what is typed; the question is on standard error, since standard output has the answer alone."""
    typer.echo(text, nl=False, err=True)
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        typer.echo(err=True)  # ends the line of the question
    if not line:
        raise KeyboardInterrupt
    return line.rstrip("\r\n")


def read_line(subject: str) -> str:
    """Return a line of standard input.

    Raises:
        CliError: it is no text in UTF-8, or standard input is closed.
    """
    if sys.stdin is None:
        raise CliError(f"standard input, from which {subject} is read, is closed", status=2)
    try:
        line = sys.stdin.readline().rstrip("\r\n")
        line.encode()
    except (
        UnicodeError
    ) as error:  # a locale that is not UTF-8 reads surrogates in place of what it cannot decode
        raise CliError(f"{subject} on standard input is no text in UTF-8", status=2) from error
    return line


def read_text(file: Path) -> str:
    """Return the content of a text file.

    Raises:
        CliError: it is no text in UTF-8.
        OSError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CliError(f"{file} is no text in UTF-8", status=2) from error


def read_secret(value: str, subject: str) -> str:
    """Return a secret: `-` reads a line of standard input, `@FILE` a file, anything else is the secret itself."""
    if value == "-":
        return read_line(subject)
    return read_text(Path(value[1:])) if value.startswith("@") else value


def check_arguments(arguments: list[str]) -> None:
    """Refuse arguments that are no text: Python has a surrogate for each byte that is no UTF-8.

    Raises:
        CliError: one is not.
    """
    for number, argument in enumerate(arguments, start=1):
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise CliError(f"argument {number} is no text in UTF-8", status=2) from error
