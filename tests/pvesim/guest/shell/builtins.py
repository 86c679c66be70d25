"""Commands that change the shell itself."""

import re
from collections.abc import Awaitable, Callable

from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.shell.interpreter import Shell
from tests.pvesim.guest.shell.redirects import Streams
from tests.pvesim.guest.shell.state import LeaveError, LoopError, ReturnError
from tests.pvesim.guest.shell.words import NAME

Builtin = Callable[[Shell, list[str], Streams], Awaitable[int]]
BUILTINS: dict[str, Builtin] = {}
KEYWORDS = ("if", "then", "else", "fi", "for", "while", "until", "do", "done", "case", "esac")


def builtin(*names: str) -> Callable[[Builtin], Builtin]:
    """Register a function as these builtins."""

    def register(run: Builtin) -> Builtin:
        BUILTINS.update(dict.fromkeys(names, run))
        return run

    return register


def _number(args: list[str], default: int) -> int:
    return int(args[0]) if args and args[0].lstrip("-").isdigit() else default


@builtin(":")
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
        return Shell(shell.make_process(["cd"], streams), shell.state).complain(
            f"cd: can't cd to {target}", status=2
        )
    shell.state.variables["OLDPWD"], shell.state.cwd = shell.state.cwd, shell.process.fs.locate(path)
    return 0


@builtin("exit")
async def leave_shell(shell: Shell, args: list[str], streams: Streams) -> int:
    raise LeaveError(_number(args, shell.state.status) & 255)


@builtin("return")
async def leave_function(shell: Shell, args: list[str], streams: Streams) -> int:
    raise ReturnError(_number(args, shell.state.status) & 255)


@builtin("break")
async def break_loop(shell: Shell, args: list[str], streams: Streams) -> int:
    raise LoopError(_number(args, 1), again=False)


@builtin("continue")
async def continue_loop(shell: Shell, args: list[str], streams: Streams) -> int:
    raise LoopError(_number(args, 1), again=True)


@builtin("local")
async def declare_local(shell: Shell, args: list[str], streams: Streams) -> int:
    if not shell.state.local_values:
        return shell.complain("local: not in a function", status=2)
    for word in args:
        name, equals, value = word.partition("=")
        shell.state.local_values[-1].setdefault(name, shell.state.variables.get(name))
        shell.state.variables[name] = value if equals else ""
    return 0


@builtin("export", "readonly", "declare")
async def export_variables(shell: Shell, args: list[str], streams: Streams) -> int:
    for word in args:
        name, equals, value = word.partition("=")
        if not NAME.fullmatch(name):
            continue
        if equals:
            shell.state.variables[name] = value
        shell.state.exported.add(name)
    return 0


@builtin("unset")
async def unset_variables(shell: Shell, args: list[str], streams: Streams) -> int:
    for name in args:
        shell.state.variables.pop(name, None)
        shell.state.exported.discard(name)
        if "-f" in args:
            shell.state.functions.pop(name, None)
    return 0


@builtin("set")
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
                raise LeaveError(shell.complain("set: Illegal option -o pipefail", status=2))
            change({{"errexit": "e", "nounset": "u", "xtrace": "x"}.get(args[position], args[position])})
        position += 1
    if position < len(args):
        shell.state.arguments = args[position + 1 :] if args[position] == "--" else args[position:]
    return 0


@builtin("shift")
async def shift_arguments(shell: Shell, args: list[str], streams: Streams) -> int:
    count = _number(args, 1)
    if count > len(shell.state.arguments):
        return shell.complain("shift: can't shift that many", status=2)
    del shell.state.arguments[:count]
    return 0


@builtin("read")
async def read_line(shell: Shell, args: list[str], streams: Streams) -> int:
    line = await streams.stdin.read_line()
    names = [a for a in args if not a.startswith("-")] or ["REPLY"]
    text = line.decode(errors="surrogateescape").removesuffix("\n")
    separators = shell.state.variables.get("IFS", " \t\n")
    if separators:
        text = text.strip(separators)
    pattern = f"[{re.escape(separators)}]+" if separators else r"(?!)"
    values = re.split(pattern, text, maxsplit=len(names) - 1) if len(names) > 1 else [text]
    for index, name in enumerate(names):
        shell.state.variables[name] = values[index] if index < len(values) else ""
    return 0 if line.endswith(b"\n") else 1


@builtin("eval")
async def evaluate(shell: Shell, args: list[str], streams: Streams) -> int:
    return await _forward(shell, streams).run_script(" ".join(args))


def _forward(shell: Shell, streams: Streams) -> Shell:
    return Shell(shell.make_process(["sh"], streams), shell.state)


@builtin(".", "source")
async def source_file(shell: Shell, args: list[str], streams: Streams) -> int:
    try:
        text = await shell.make_process(["."], streams).read_file(args[0])
    except (FsError, IndexError):
        return shell.complain(f".: cannot open {args[0] if args else ''}: No such file", status=2)
    try:
        return await _forward(shell, streams).run_script(text.decode(errors="surrogateescape"))
    except ReturnError as leave:
        return leave.status


@builtin("exec")
async def replace_shell(shell: Shell, args: list[str], streams: Streams) -> int:
    if not args:
        return 0
    raise LeaveError(await shell.run_words(args, streams))


@builtin("command")
async def run_command(shell: Shell, args: list[str], streams: Streams) -> int:
    if not args or args[0] not in ("-v", "-V"):
        rest = args[1:] if args[:1] == ["--"] else args
        return await shell.run_words(rest, streams) if rest else 0
    found = [_locate(shell, name) for name in args[1:]]
    for place in found:
        if place:
            streams.stdout.write(f"{place}\n".encode())
    return 0 if any(found) else 127


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


@builtin("trap")
async def set_trap(shell: Shell, args: list[str], streams: Streams) -> int:
    for name in args[1:]:
        shell.state.traps["EXIT" if name == "0" else name] = "" if args[0] == "-" else args[0]
    return 0


@builtin("wait")
async def wait_jobs(shell: Shell, args: list[str], streams: Streams) -> int:
    status = await shell.process.machine.wait_jobs([int(a) for a in args if a.isdigit()])
    return status if args else 0


@builtin("umask", "ulimit", "alias", "shopt", "bind", "history", "jobs", "fg", "bg", "disown")
async def accept_setting(shell: Shell, args: list[str], streams: Streams) -> int:
    return 0
