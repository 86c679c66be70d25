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
    process.stdout.write(render_echo(process.args))
    return 0


def render_echo(args: list[str], *, dash: bool = False) -> bytes:
    """What `echo` prints; dash knows `-n` alone and always replaces escapes."""
    words, end = list(args), "\n"
    if dash:
        end = "" if words[:1] == ["-n"] else end
        return encode(_interpret(" ".join(words[1:] if end == "" else words), end))
    interprets = False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        flags = words.pop(0)
        end = "" if "n" in flags else end
        interprets = interprets or "e" in flags
    text = " ".join(words)
    return encode(_interpret(text, end) if interprets else text + end)


def _interpret(text: str, end: str) -> str:
    r"""The text with its escapes replaced and its end, up to `\c`."""
    cut = re.match(r"((?:[^\\]|\\[^c])*)\\c", text, re.DOTALL)
    return unescape(cut[1]) if cut else unescape(text) + end


def encode(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


@command("printf")
async def print_formatted(process: Process) -> int:
    args = process.args[1:] if process.args[:1] == ["--"] else process.args
    if not args:
        return process.complain("printf: usage: printf format [arg ...]", 2)
    form, values = args[0], list(args[1:])
    while True:
        before = len(values)
        process.stdout.write(encode(_format_once(form, values)))
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


async def read_inputs(process: Process, names: list[str]) -> bytes:
    return b"".join([await process.read_file(name) for name in names or ["-"]])


def write_lines(process: Process, lines: list[str]) -> None:
    if lines:
        process.stdout.write(encode("\n".join(lines) + "\n"))


async def read_lines(process: Process, names: list[str]) -> list[str]:
    return (await read_inputs(process, names)).decode(errors="surrogateescape").splitlines()


@command("head", "tail")
async def show_ends(process: Process) -> int:
    args = [f"-n{a[1:]}" if re.fullmatch(r"-\d+", a) else a for a in process.args]
    options, names = split_options(args, valued=("-n", "-c", "--lines", "--bytes"))
    size = options.get("-c") or options.get("--bytes")
    if process.name == "head" and size:
        process.stdout.write(b"".join([await process.read_file(n, int(size)) for n in names or ["-"]]))
        return 0
    data = await read_inputs(process, names)
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
            for number, line in enumerate(await read_lines(process, [name]), start=1)
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
        write_lines(process, list(dict.fromkeys(name for name, _, _ in found)))
    else:
        lines = found[: int(options["-m"])] if "-m" in options else found
        for name, number, line in lines:
            prefix = (f"{name}:" if titled and "-h" not in options else "") + (
                f"{number}:" if "-n" in options else ""
            )
            shown = _compile(pattern, options, process.name).findall(line) if "-o" in options else [line]
            write_lines(process, [prefix + text for text in shown])


@command("base64")
async def convert_base64(process: Process) -> int:
    options, names = split_options(process.args, valued=("-w", "--wrap"))
    data = await read_inputs(process, names)
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
    for line in await read_lines(process, names):
        wanted, _, name = line.partition("  ")
        good = hashlib.new(method, await process.read_file(name)).hexdigest() == wanted
        bad += not good
        process.say(f"{name}: {'OK' if good else 'FAILED'}")
    return process.fail(f"WARNING: {bad} computed checksum did NOT match") if bad else 0
