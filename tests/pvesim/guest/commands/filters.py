"""Programs that take text apart: cut, tr, sort, sed, awk and their like."""

import re

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.commands.text import (
    encode,
    read_inputs,
    read_lines,
    translate_basic,
    unescape,
    write_lines,
)
from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.machine import Process, command


@command("cut")
async def cut_fields(process: Process) -> int:
    options, names = split_options(process.args, valued=("-d", "-f", "-c"))
    spec = options.get("-f") or options.get("-c") or "1"
    wanted = [index for part in spec.split(",") for index in _read_range(part)]
    for line in await read_lines(process, names):
        delimiter = options.get("-d") or "\t"
        parts = list(line) if "-c" in options else line.split(delimiter)
        glue = "" if "-c" in options else delimiter
        write_lines(
            process, [glue.join(parts[i - 1] for i in wanted if i <= len(parts)) if len(parts) > 1 else line]
        )
    return 0


def _read_range(text: str) -> range:
    first, dash, last = text.partition("-")
    return range(int(first or 1), (int(last) if last else 1000) + 1 if dash else int(first) + 1)


@command("tr")
async def translate_characters(process: Process) -> int:
    options, sets = split_options(process.args)
    first, second = _spread(sets[0]), _spread(sets[1]) if len(sets) > 1 else ""
    text = (await process.stdin.read_all()).decode(errors="surrogateescape")
    if {"-c", "-C"} & set(options):
        first = "".join(set(text) - set(first))
    if "-d" in options:
        text = "".join(c for c in text if c not in first)
    elif second:
        text = text.translate(str.maketrans(first, second.ljust(len(first), second[-1])[: len(first)]))
    if "-s" in options:
        text = re.sub(rf"([{re.escape(second or first)}])\1+", r"\1", text)
    process.stdout.write(encode(text))
    return 0


def _spread(text: str) -> str:
    for name, letters in (
        ("upper", "A-Z"),
        ("lower", "a-z"),
        ("digit", "0-9"),
        ("alnum", "A-Za-z0-9"),
        ("space", r" \t\n\r"),
    ):
        text = text.replace(f"[:{name}:]", letters)
    return re.sub(
        r"(.)-(.)", lambda m: "".join(chr(c) for c in range(ord(m[1]), ord(m[2]) + 1)), unescape(text)
    )


@command("sort", "uniq")
async def sort_lines(process: Process) -> int:
    options, names = split_options(process.args, valued=("-k", "-t"))
    lines = await read_lines(process, names)
    if process.name == "sort":
        lines.sort(key=(lambda x: (int(re.match(r"\s*(-?\d*)", x)[1] or 0), x)) if "-n" in options else None)  # type: ignore[index]
        lines = list(dict.fromkeys(lines)) if "-u" in options else lines
        write_lines(process, lines[::-1] if "-r" in options else lines)
    else:
        write_lines(process, [line for i, line in enumerate(lines) if i == 0 or lines[i - 1] != line])
    return 0


@command("sed", directory="/bin")
async def edit_stream(process: Process) -> int:
    options, operands = split_options(process.args, valued=("-e",))
    script, names = (options["-e"], operands) if "-e" in options else (operands[0], operands[1:])
    lines = await read_lines(process, names)
    quiet = "-n" in options
    for part in re.split(r";(?=\s*(?:\d|/|\$|s|$))", script):
        lines = _edit(lines, part.strip(), quiet=quiet)
    if "-i" in options:
        process.fs.write(process.path(names[0]), encode("".join(f"{line}\n" for line in lines)))
    else:
        write_lines(process, lines)
    return 0


def _edit(lines: list[str], script: str, *, quiet: bool) -> list[str]:
    substitution = re.fullmatch(
        r"(.*?)s(.)((?:\\.|(?!\2).)*)\2((?:\\.|(?!\2).)*)\2([gIpE]*)", script, re.DOTALL
    )
    if substitution and not script.startswith(("/", "$")):
        _, _, pattern, replacement, flags = substitution.groups()
        regex = re.compile(translate_basic(pattern), re.IGNORECASE if "I" in flags else 0)
        new = re.sub(r"(?<!\\)&", r"\\g<0>", replacement).replace(r"\/", "/")
        return [regex.sub(new, line, count=0 if "g" in flags else 1) for line in lines]
    selected = re.fullmatch(r"(?:(\d+|\$)(?:,(\d+|\$))?|/(.*)/)?([pdq])", script)
    if not selected:
        raise FsError(f"-e expression #1, char 1: unknown command: `{script}'")
    first, last, pattern, action = selected.groups()
    chosen = [
        _selects(i, line, len(lines), first=first, last=last, pattern=pattern)
        for i, line in enumerate(lines, 1)
    ]
    if action == "q":
        return lines[: chosen.index(True) + 1] if True in chosen else lines
    keep = (action == "p") if quiet else (action != "d")
    if action == "p" and not quiet:
        return [
            copy
            for line, yes in zip(lines, chosen, strict=True)
            for copy in ([line, line] if yes else [line])
        ]
    return [line for line, yes in zip(lines, chosen, strict=True) if yes == keep]


def _selects(
    number: int, line: str, count: int, *, first: str | None, last: str | None, pattern: str | None
) -> bool:
    if pattern is not None:
        return bool(re.search(translate_basic(pattern), line))
    if first is None:
        return True
    start, end = (count if end == "$" else int(end) for end in (first, last or first))
    return start <= number <= end


@command("awk", "gawk", "mawk")
async def print_fields(process: Process) -> int:
    """Awk, of which `[/pattern/] {print $N, ...}` is understood."""
    options, operands = split_options(process.args, valued=("-F", "-v"))
    match = re.fullmatch(
        r"\s*(?:/(.*)/)?\s*(?:NR\s*==\s*(\d+))?\s*(?:\{\s*print\s*(.*?)\s*;?\s*\})?\s*", operands[0]
    )
    if not match:
        return process.complain(f"awk: syntax error at source line 1: {operands[0]}", 2)
    pattern, number, shown = match.groups()
    for index, line in enumerate(await read_lines(process, operands[1:]), start=1):
        if (pattern and not re.search(pattern, line)) or (number and int(number) != index):
            continue
        fields = line.split(options.get("-F") or None)
        write_lines(
            process, [" ".join(_field(term.strip(), fields, line) for term in (shown or "$0").split(","))]
        )
    return 0


def _field(term: str, fields: list[str], line: str) -> str:
    if term == "$0":
        return line
    index = len(fields) if term == "$NF" else int(term[1:]) if re.fullmatch(r"\$\d+", term) else 0
    if index:
        return fields[index - 1] if index <= len(fields) else ""
    return term.strip('"')


@command("seq")
async def count_up(process: Process) -> int:
    numbers = [int(word) for word in process.args]
    first, step, last = {1: (1, 1, numbers[-1]), 2: (numbers[0], 1, numbers[-1])}.get(
        len(numbers), (numbers[0], numbers[1] if len(numbers) > 1 else 1, numbers[-1])
    )
    write_lines(process, [str(n) for n in range(first, last + (1 if step > 0 else -1), step)])
    return 0


@command("rev", "tac", "nl", "od", "hexdump", "xxd")
async def show_otherwise(process: Process) -> int:
    options, names = split_options(process.args, valued=("-A", "-t", "-N"))
    data = await read_inputs(process, names)
    if process.name in ("od", "hexdump", "xxd"):
        return process.say(" " + data[: int(options.get("-N") or len(data))].hex(" "))
    lines = data.decode(errors="surrogateescape").splitlines()
    changed = {"rev": [line[::-1] for line in lines], "tac": lines[::-1]}
    write_lines(process, changed.get(process.name, [f"{i:>6}\t{line}" for i, line in enumerate(lines, 1)]))
    return 0


@command("cmp", "diff")
async def compare_files(process: Process) -> int:
    names = split_options(process.args)[1]
    first, second = [await process.read_file(name) for name in names[:2]]
    return 0 if first == second else process.say(f"{names[0]} {names[1]} differ") or 1


@command("expr")
async def compute(process: Process) -> int:
    from tests.pvesim.guest.shell.arithmetic import evaluate
    from tests.pvesim.guest.shell.state import ExpansionError

    try:
        value = evaluate(" ".join(process.args), {})
    except ExpansionError:
        return process.complain("expr: syntax error", 2)
    process.say(str(value))
    return int(value == 0)
