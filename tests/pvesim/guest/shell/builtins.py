"""Commands that change the shell itself."""

import re
from collections.abc import Awaitable, Callable

from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.shell.fields import ends_escaped, split_line
from tests.pvesim.guest.shell.interpreter import Shell
from tests.pvesim.guest.shell.redirects import Streams
from tests.pvesim.guest.shell.state import LeaveError, LoopError, ReturnError, SpecialBuiltinError
from tests.pvesim.guest.shell.words import NAME

Builtin = Callable[[Shell, list[str], Streams], Awaitable[int]]
BUILTINS: dict[str, Builtin] = {}
SPECIAL_BUILTINS: set[str] = set()
"""Builtins after which assignments in front of them stay and whose failures end the shell, as POSIX says."""
KEYWORDS = ("if", "then", "else", "fi", "for", "while", "until", "do", "done", "case", "esac")


def builtin(*names: str, special: bool = False) -> Callable[[Builtin], Builtin]:
    """Register a function as these builtins."""

    def register(run: Builtin) -> Builtin:
        BUILTINS.update(dict.fromkeys(names, run))
        if special:
            SPECIAL_BUILTINS.update(names)
        return run

    return register


def _complain(shell: Shell, streams: Streams, text: str, *, status: int = 2) -> int:
    return Shell(shell.make_process(["sh"], streams), shell.state).complain(text, status=status)


def _refuse(shell: Shell, streams: Streams, text: str) -> int:
    """Report the failure of a special builtin, which ends every shell but bash."""
    is_bash = shell.state.name == "bash"
    status = _complain(shell, streams, text, status=1 if is_bash else 2)
    if is_bash:
        return status
    raise SpecialBuiltinError(status)


def _read_number(shell: Shell, words: list[str], streams: Streams, *, default: int) -> int:
    """The number behind a special builtin.

    Raises:
        SpecialBuiltinError: it is none.
    """
    if not words[1:]:
        return default
    if words[1].isdigit():
        return int(words[1])
    reason = f"Illegal number: {words[1]}"
    if shell.state.name == "bash":
        reason = f"{words[1]}: numeric argument required"
    raise SpecialBuiltinError(_complain(shell, streams, f"{words[0]}: {reason}"))


@builtin(":", special=True)
async def do_nothing(shell: Shell, args: list[str], streams: Streams) -> int:
    return 0


@builtin("echo")
async def echo_words(shell: Shell, args: list[str], streams: Streams) -> int:
    from tests.pvesim.guest.commands.text import render_echo

    streams.stdout.write(render_echo(args, dash=shell.state.name == "sh"))
    return 0


@builtin("cd")
async def change_directory(shell: Shell, args: list[str], streams: Streams) -> int:
    target = args[-1] if args else shell.state.variables.get("HOME", "/")
    if target == "-":
        target = shell.state.variables.get("OLDPWD", "/")
    path = f"{shell.state.cwd}/{target}" if not target.startswith("/") else target
    if not shell.process.fs.is_dir(path):
        return _complain(shell, streams, f"cd: can't cd to {target}")
    shell.state.variables["OLDPWD"], shell.state.cwd = shell.state.cwd, shell.process.fs.locate(path)
    return 0


@builtin("exit", special=True)
async def leave_shell(shell: Shell, args: list[str], streams: Streams) -> int:
    default = shell.state.status if shell.state.leaving is None else shell.state.leaving
    raise LeaveError(_read_number(shell, ["exit", *args], streams, default=default))


@builtin("return", special=True)
async def leave_function(shell: Shell, args: list[str], streams: Streams) -> int:
    raise ReturnError(_read_number(shell, ["return", *args], streams, default=shell.state.status) & 255)


@builtin("break", special=True)
async def break_loop(shell: Shell, args: list[str], streams: Streams) -> int:
    return _leave_loops(shell, _read_number(shell, ["break", *args], streams, default=1), again=False)


@builtin("continue", special=True)
async def continue_loop(shell: Shell, args: list[str], streams: Streams) -> int:
    return _leave_loops(shell, _read_number(shell, ["continue", *args], streams, default=1), again=True)


def _leave_loops(shell: Shell, levels: int, *, again: bool) -> int:
    if shell.state.loops:
        raise LoopError(min(levels, shell.state.loops), again=again)
    return 0


@builtin("local")
async def declare_local(shell: Shell, args: list[str], streams: Streams) -> int:
    if not shell.state.local_values:
        return _complain(shell, streams, "local: not in a function")
    for word in args:
        name, equals, value = word.partition("=")
        shell.state.local_values[-1].setdefault(name, shell.state.variables.get(name))
        shell.state.variables[name] = value if equals else ""
    return 0


@builtin("export", "readonly", special=True)
@builtin("declare")
async def export_variables(shell: Shell, args: list[str], streams: Streams) -> int:
    for word in args:
        name, equals, value = word.partition("=")
        if name.startswith("-"):
            continue
        if not NAME.fullmatch(name):
            return _refuse(shell, streams, f"export: {name}: bad variable name")
        if equals:
            shell.state.variables[name] = value
        shell.state.exported.add(name)
    return 0


@builtin("unset", special=True)
async def unset_variables(shell: Shell, args: list[str], streams: Streams) -> int:
    for name in (a for a in args if a not in ("-f", "-v")):
        if not NAME.fullmatch(name):
            return _refuse(shell, streams, f"unset: {name}: bad variable name")
        shell.state.variables.pop(name, None)
        shell.state.exported.discard(name)
        if "-f" in args:
            shell.state.functions.pop(name, None)
    return 0


@builtin("set", special=True)
async def set_options(shell: Shell, args: list[str], streams: Streams) -> int:
    position = 0
    while position < len(args) and re.fullmatch(r"[-+][a-zA-Z]+", args[position]):
        word = args[position]
        letters = word[1:].replace("o", "")
        change = shell.state.options.update if word[0] == "-" else shell.state.options.difference_update
        change(letters)
        if "o" in word[1:] and position + 1 < len(args):
            position += 1
            if args[position] == "pipefail" and shell.state.name == "sh":
                return _refuse(shell, streams, "set: Illegal option -o pipefail")
            change({{"errexit": "e", "nounset": "u", "xtrace": "x"}.get(args[position], args[position])})
        position += 1
    if position < len(args):
        shell.state.arguments = args[position + 1 :] if args[position] == "--" else args[position:]
    return 0


@builtin("shift", special=True)
async def shift_arguments(shell: Shell, args: list[str], streams: Streams) -> int:
    count = _read_number(shell, ["shift", *args], streams, default=1)
    if count > len(shell.state.arguments):
        return _refuse(shell, streams, "shift: can't shift that many") if shell.state.name == "sh" else 1
    del shell.state.arguments[:count]
    return 0


@builtin("read")
async def read_line(shell: Shell, args: list[str], streams: Streams) -> int:
    is_raw = any(a.startswith("-") and "r" in a for a in args)
    names = [a for a in args if not a.startswith("-")] or ["REPLY"]
    line = await streams.stdin.read_line()
    while not is_raw and ends_escaped(line):
        line = line[:-2] + await streams.stdin.read_line()
    text = line.decode(errors="surrogateescape").removesuffix("\n")
    values = split_line(text, shell.expander.separators, count=len(names), is_raw=is_raw)
    shell.state.variables.update(zip(names, values, strict=True))
    return 0 if line.endswith(b"\n") else 1


@builtin("eval", special=True)
async def evaluate(shell: Shell, args: list[str], streams: Streams) -> int:
    return await _forward(shell, streams).run_script(" ".join(args))


def _forward(shell: Shell, streams: Streams) -> Shell:
    return Shell(shell.make_process(["sh"], streams), shell.state)


@builtin(".", special=True)
@builtin("source")
async def source_file(shell: Shell, args: list[str], streams: Streams) -> int:
    try:
        text = await shell.make_process(["."], streams).read_file(args[0])
    except (FsError, IndexError):
        return _refuse(shell, streams, f".: cannot open {''.join(args[:1])}: No such file")
    try:
        return await _forward(shell, streams).run_script(text.decode(errors="surrogateescape"))
    except ReturnError as leave:
        return leave.status


@builtin("exec", special=True)
async def replace_shell(shell: Shell, args: list[str], streams: Streams) -> int:
    if not args:
        return 0
    shell.state.traps.pop("EXIT", None)
    raise LeaveError(await shell.run_words(args, streams))


@builtin("command")
async def run_command(shell: Shell, args: list[str], streams: Streams) -> int:
    if not args or args[0] not in ("-v", "-V"):
        rest = args[1:] if args[:1] == ["--"] else args
        return await _run_unspecial(shell, rest, streams) if rest else 0
    found = [_locate(shell, name) for name in args[1:]]
    for place in found:
        if place:
            streams.stdout.write(f"{place}\n".encode())
    return 0 if any(found) else 127


async def _run_unspecial(shell: Shell, words: list[str], streams: Streams) -> int:
    try:
        return await shell.run_words(words, streams)
    except SpecialBuiltinError as failure:
        return failure.status


def _locate(shell: Shell, name: str) -> str | None:
    if name in BUILTINS or name in shell.state.functions or name in KEYWORDS:
        return name
    return shell.process.machine.find_path(name)


@builtin("type", "hash")
async def name_type(shell: Shell, args: list[str], streams: Streams) -> int:
    missing = 0
    for name in (a for a in args if not a.startswith("-")):
        place = _locate(shell, name)
        missing |= place is None
        text = f"{name}: not found" if place is None else f"{name} is {place}"
        (streams.stderr if place is None else streams.stdout).write(f"{text}\n".encode())
    return 127 if missing else 0


@builtin("trap", special=True)
async def set_trap(shell: Shell, args: list[str], streams: Streams) -> int:
    resets = len(args) == 1 or args[:1] == ["-"] or (args and args[0].isdigit())
    for name in args if resets else args[1:]:
        key = "EXIT" if name == "0" else name
        if resets:
            shell.state.traps.pop(key, None)
        else:
            shell.state.traps[key] = args[0]
    return 0


@builtin("wait")
async def wait_jobs(shell: Shell, args: list[str], streams: Streams) -> int:
    status = await shell.process.machine.wait_jobs([int(a) for a in args if a.isdigit()])
    return status if args else 0


@builtin("umask", "ulimit", "alias", "shopt", "bind", "history", "jobs", "fg", "bg", "disown")
async def accept_setting(shell: Shell, args: list[str], streams: Streams) -> int:
    return 0
