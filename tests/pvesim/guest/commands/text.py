"""Programs that print, filter and compute on text."""

import base64
import hashlib
import re

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.machine import Process, command

ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\\": "\\",
    "a": "\a",
    "0": "\0",
    "e": "\x1b",
    "b": "\b",
    '"': '"',
}
ESCAPE = re.compile(r"\\(?:([0-7]{1,4})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)


def unescape(text: str) -> str:
    r"""The text with `\n`, `\t`, `\033`, `\x1b` replaced."""

    def replace(match: re.Match[str]) -> str:
        octal, hexadecimal, letter = match.groups()
        if octal or hexadecimal:
            return chr(int(octal, 8) & 255 if octal else int(hexadecimal, 16))
        return ESCAPES.get(letter, f"\\{letter}")

    return ESCAPE.sub(replace, text)


@command("echo", directory="/bin")
async def echo_words(process: Process) -> int:
    words, end = list(process.args), "\n"
    interprets = process.env.get("SHELL_NAME") == "sh"
    while words and re.fullmatch(r"-[neE]+", words[0]):
        flags = words.pop(0)
        end = "" if "n" in flags else end
        interprets = interprets or "e" in flags
    text = " ".join(words)
    process.stdout.write(_encode((unescape(text) if interprets else text) + end))
    return 0


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


@command("printf")
async def print_formatted(process: Process) -> int:
    args = process.args[1:] if process.args[:1] == ["--"] else process.args
    if not args:
        return process.complain("printf: usage: printf format [arg ...]", 2)
    form, values = args[0], list(args[1:])
    while True:
        before = len(values)
        process.stdout.write(_encode(_format_once(form, values)))
        if not values or len(values) == before:
            return 0


def _format_once(form: str, values: list[str]) -> str:
    def fill(match: re.Match[str]) -> str:
        flags, kind = match.groups()
        if kind == "%":
            return "%"
        value = values.pop(0) if values else ""
        if kind in "dixXou":
            return f"%{flags}{kind}" % int(value or "0", 0)
        return f"%{flags}s" % (unescape(value) if kind == "b" else value)

    pieces = re.split(r"(%[-+ #0-9.]*[sdibxXouc%])", form)
    return "".join(
        re.sub(r"%([-+ #0-9.]*)([a-zA-Z%])", fill, p) if i % 2 else unescape(p) for i, p in enumerate(pieces)
    )


async def _read_inputs(process: Process, names: list[str]) -> bytes:
    return b"".join([await process.read_file(name) for name in names or ["-"]])


def _write_lines(process: Process, lines: list[str]) -> None:
    if lines:
        process.stdout.write(_encode("\n".join(lines) + "\n"))


async def _read_lines(process: Process, names: list[str]) -> list[str]:
    return (await _read_inputs(process, names)).decode(errors="surrogateescape").splitlines()


@command("head", "tail")
async def show_ends(process: Process) -> int:
    args = [f"-n{a[1:]}" if re.fullmatch(r"-\d+", a) else a for a in process.args]
    options, names = split_options(args, valued=("-n", "-c", "--lines", "--bytes"))
    size = options.get("-c") or options.get("--bytes")
    if process.name == "head" and size:
        process.stdout.write(b"".join([await process.read_file(n, int(size)) for n in names or ["-"]]))
        return 0
    data = await _read_inputs(process, names)
    pieces = [data[i : i + 1] for i in range(len(data))] if size else data.splitlines(keepends=True)
    process.stdout.write(
        b"".join(_cut(pieces, size or options.get("-n") or options.get("--lines") or "10", process.name))
    )
    return 0


def _cut(pieces: list[bytes], count: str, name: str) -> list[bytes]:
    number = int(count)
    if name == "head":
        return pieces[:number]
    return pieces[number - 1 :] if count.startswith("+") else pieces[-abs(number) :] if number else []


@command("wc")
async def count_text(process: Process) -> int:
    options, names = split_options(process.args)
    for name in names or ["-"]:
        data = await process.read_file(name)
        counts = {"-l": data.count(b"\n"), "-w": len(data.split()), "-c": len(data)}
        shown = " ".join(str(v) for k, v in counts.items() if not options or k in options)
        process.say(shown if name == "-" else f"{shown} {name}")
    return 0


@command("grep", "egrep", "fgrep", directory="/bin")
async def search_lines(process: Process) -> int:
    options, operands = split_options(process.args, valued=("-e", "-m", "-A", "-B", "-C"))
    pattern, names = (options["-e"], operands) if "-e" in options else (operands[0], operands[1:])
    try:
        found = [
            (name, number, line)
            for name in names or ["-"]
            for number, line in enumerate(await _read_lines(process, [name]), start=1)
            if bool(_compile(pattern, options, process.name).search(line)) != ("-v" in options)
        ]
    except FsError as error:
        return process.fail(f"{names[0]}: {error}", 2) if "-s" not in options else 2
    _show_matches(process, found, pattern, options=options, titled=len(names) > 1)
    return 0 if found else 1


def _compile(pattern: str, options: dict[str, str], name: str) -> re.Pattern[str]:
    if "-F" in options or name == "fgrep":
        pattern = re.escape(pattern)
    elif "-E" not in options and "-P" not in options and name != "egrep":
        pattern = translate_basic(pattern)
    pattern = re.sub(r"\[\[:(\w+):\]\]", lambda m: {"space": r"\s", "digit": r"\d"}.get(m[1], r"\w"), pattern)
    if "-w" in options:
        pattern = rf"\b(?:{pattern})\b"
    return re.compile(
        f"^(?:{pattern})$" if "-x" in options else pattern, re.IGNORECASE if "-i" in options else 0
    )


def translate_basic(pattern: str) -> str:
    """A basic regular expression as Python writes it."""
    return re.sub(r"\\([(){}|+?])|([(){}|+?])", lambda m: m[1] or "\\" + m[2], pattern)


def _show_matches(
    process: Process,
    found: list[tuple[str, int, str]],
    pattern: str,
    *,
    options: dict[str, str],
    titled: bool,
) -> None:
    if {"-q", "--quiet"} & set(options):
        return
    if "-c" in options:
        process.say(str(len(found)))
    elif "-l" in options:
        _write_lines(process, list(dict.fromkeys(name for name, _, _ in found)))
    else:
        lines = found[: int(options["-m"])] if "-m" in options else found
        for name, number, line in lines:
            prefix = (f"{name}:" if titled and "-h" not in options else "") + (
                f"{number}:" if "-n" in options else ""
            )
            shown = _compile(pattern, options, process.name).findall(line) if "-o" in options else [line]
            _write_lines(process, [prefix + text for text in shown])


@command("base64")
async def convert_base64(process: Process) -> int:
    options, names = split_options(process.args, valued=("-w", "--wrap"))
    data = await _read_inputs(process, names)
    if {"-d", "-D", "--decode"} & set(options):
        try:
            process.stdout.write(base64.b64decode(re.sub(rb"\s", b"", data), validate=True))
        except ValueError:
            return process.fail("invalid input")
        return 0
    text = base64.b64encode(data).decode()
    width = int(options.get("-w") or options.get("--wrap") or "76")
    lines = [text[i : i + width] for i in range(0, len(text), width)] if width else [text]
    process.stdout.write("\n".join(lines).encode() + (b"\n" if width and text else b""))
    return 0


@command("sha256sum", "sha1sum", "md5sum", "sha512sum")
async def hash_files(process: Process) -> int:
    options, names = split_options(process.args)
    method = process.name.removesuffix("sum")
    if "-c" in options:
        return await _check_hashes(process, names, method)
    status = 0
    for name in names or ["-"]:
        try:
            digest = hashlib.new(method, await process.read_file(name)).hexdigest()
            process.say(f"{digest}  {name}")
        except FsError as error:
            status = process.fail(f"{name}: {error}")
    return status


async def _check_hashes(process: Process, names: list[str], method: str) -> int:
    bad = 0
    for line in await _read_lines(process, names):
        wanted, _, name = line.partition("  ")
        good = hashlib.new(method, await process.read_file(name)).hexdigest() == wanted
        bad += not good
        process.say(f"{name}: {'OK' if good else 'FAILED'}")
    return process.fail(f"WARNING: {bad} computed checksum did NOT match") if bad else 0


@command("cut")
async def cut_fields(process: Process) -> int:
    options, names = split_options(process.args, valued=("-d", "-f", "-c"))
    spec = options.get("-f") or options.get("-c") or "1"
    wanted = [index for part in spec.split(",") for index in _read_range(part)]
    for line in await _read_lines(process, names):
        delimiter = options.get("-d") or "\t"
        parts = list(line) if "-c" in options else line.split(delimiter)
        glue = "" if "-c" in options else delimiter
        _write_lines(
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
    process.stdout.write(_encode(text))
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
    lines = await _read_lines(process, names)
    if process.name == "sort":
        lines.sort(key=(lambda x: (int(re.match(r"\s*(-?\d*)", x)[1] or 0), x)) if "-n" in options else None)  # type: ignore[index]
        lines = list(dict.fromkeys(lines)) if "-u" in options else lines
        _write_lines(process, lines[::-1] if "-r" in options else lines)
    else:
        _write_lines(process, [line for i, line in enumerate(lines) if i == 0 or lines[i - 1] != line])
    return 0


@command("sed", directory="/bin")
async def edit_stream(process: Process) -> int:
    options, operands = split_options(process.args, valued=("-e",))
    script, names = (options["-e"], operands) if "-e" in options else (operands[0], operands[1:])
    lines = await _read_lines(process, names)
    quiet = "-n" in options
    for part in re.split(r";(?=\s*(?:\d|/|\$|s|$))", script):
        lines = _edit(lines, part.strip(), quiet=quiet)
    if "-i" in options:
        process.fs.write(process.path(names[0]), _encode("".join(f"{line}\n" for line in lines)))
    else:
        _write_lines(process, lines)
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
    for index, line in enumerate(await _read_lines(process, operands[1:]), start=1):
        if (pattern and not re.search(pattern, line)) or (number and int(number) != index):
            continue
        fields = line.split(options.get("-F") or None)
        _write_lines(
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
    _write_lines(process, [str(n) for n in range(first, last + (1 if step > 0 else -1), step)])
    return 0


@command("rev", "tac", "nl", "od", "hexdump", "xxd")
async def show_otherwise(process: Process) -> int:
    options, names = split_options(process.args, valued=("-A", "-t", "-N"))
    data = await _read_inputs(process, names)
    if process.name in ("od", "hexdump", "xxd"):
        return process.say(" " + data[: int(options.get("-N") or len(data))].hex(" "))
    lines = data.decode(errors="surrogateescape").splitlines()
    changed = {"rev": [line[::-1] for line in lines], "tac": lines[::-1]}
    _write_lines(process, changed.get(process.name, [f"{i:>6}\t{line}" for i, line in enumerate(lines, 1)]))
    return 0


@command("cmp", "diff")
async def compare_files(process: Process) -> int:
    names = split_options(process.args)[1]
    first, second = [await process.read_file(name) for name in names[:2]]
    return 0 if first == second else process.say(f"{names[0]} {names[1]} differ") or 1


@command("expr")
async def compute(process: Process) -> int:
    from tests.pvesim.guest.shell.arithmetic import evaluate

    value = evaluate(" ".join(process.args), {})
    process.say(str(value))
    return int(value == 0)
