"""Splitting a command's words into options and operands."""

from collections.abc import Collection


def split_options(args: list[str], *, valued: Collection[str] = ()) -> tuple[dict[str, str], list[str]]:
    """Options (with their values, "" for flags) and operands.

    `valued` names the options that take a value (`-n`, `--perms`): joined (`-n3`, `--perms=x`)
    or as the next word. `--` ends the options. Flags may be bundled (`-rf`).
    """
    options: dict[str, str] = {}
    operands: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return options, operands + rest
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            options[name] = value if equals or name not in valued else (rest.pop(0) if rest else "")
        elif word.startswith("-") and len(word) > 1:
            _read_bundle(word, rest, options, valued=valued)
        else:
            operands.append(word)
    return options, operands


def _read_bundle(word: str, rest: list[str], options: dict[str, str], *, valued: Collection[str]) -> None:
    if word in valued:
        options[word] = rest.pop(0) if rest else ""
        return
    for index, letter in enumerate(word[1:], start=1):
        flag = f"-{letter}"
        if flag in valued:
            options[flag] = word[index + 1 :] or (rest.pop(0) if rest else "")
            return
        options[flag] = ""
