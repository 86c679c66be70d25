"""Programs that run other programs: sh, env, timeout, xargs."""

import asyncio
import posixpath

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.interactive import run_interactive
from tests.pvesim.guest.machine import NOT_KNOWN, Process, command
from tests.pvesim.guest.shell.interpreter import Shell
from tests.pvesim.guest.shell.state import State

TIMED_OUT = 124
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def make_shell(process: Process, *, name: str, arguments: list[str]) -> Shell:
    """A shell running as this process."""
    flavoured = "ash" if process.machine.flavour == "alpine" and name in ("sh", "ash") else name
    state = State(
        variables=dict(process.env),
        exported=set(process.env),
        cwd=process.cwd,
        name="sh" if flavoured == "dash" else flavoured,
        arguments=arguments,
    )
    return Shell(process, state)


@command("sh", directory="/bin")
@command("bash", packages=("bash",), directory="/bin")
@command("ash", "busybox", packages=("busybox",), directory="/bin")
@command("dash", packages=("dash",), directory="/bin")
async def run_shell(process: Process) -> int:
    args = list(process.args)
    if process.name == "busybox":
        return await _run_argv(process, args) if args else 0
    options, named = "", set()
    while args and args[0].startswith(("-", "+")) and args[0] != "-":
        options += args.pop(0).lstrip("-")
        if options.endswith("o") and args:
            named.add(args.pop(0))
    if process.terminal is not None and process.stdin is process.terminal and not args:
        return await run_interactive(process, make_shell(process, name=process.name, arguments=[]))
    text, args = await _read_script(process, options, args)
    if text is None:
        return process.complain(f"{process.name}: 0: cannot open {args[0]}: No such file", 2)
    shell = make_shell(process, name=process.name, arguments=args[1:])
    shell.state.options.update((set(options) & {"e", "u", "x"}) | (named & {"pipefail"}))
    return await shell.run_whole(text)


async def _read_script(process: Process, options: str, args: list[str]) -> tuple[str | None, list[str]]:
    if "c" in options:
        return (args[0] if args else ""), args[1:]
    if args and args[0] != "-" and "s" not in options:
        try:
            return (await process.read_file(args[0])).decode(errors="surrogateescape"), args
        except FsError:
            return None, args
    return (await process.stdin.read_all()).decode(errors="surrogateescape"), ["sh", *args]


async def _run_argv(process: Process, argv: list[str]) -> int:
    status = await process.machine.spawn(process.derive(argv))
    if status is None:
        return process.fail(f"failed to run command '{argv[0]}': No such file or directory", NOT_KNOWN)
    return status


@command("env", "printenv")
async def run_env(process: Process) -> int:
    args, env = list(process.args), dict(process.env)
    while args and (args[0].startswith("-") or "=" in args[0]):
        word = args.pop(0)
        if word in ("-i", "-"):
            env.clear()
        elif word == "-u" and args:
            env.pop(args.pop(0), None)
        elif "=" in word:
            name, _, value = word.partition("=")
            env[name] = value
    if process.name == "printenv" and args:
        return process.say(env[args[0]]) if args[0] in env else 1
    if not args:
        return process.say("\n".join(f"{k}={v}" for k, v in env.items()))
    inner = process.derive(args)
    inner.env = env
    status = await process.machine.spawn(inner)
    return process.fail(f"'{args[0]}': No such file or directory", NOT_KNOWN) if status is None else status


@command("timeout")
async def run_timeout(process: Process) -> int:
    operands = list(process.args)
    while operands and operands[0].startswith("-"):
        word = operands.pop(0)
        if word in ("-s", "-k"):
            operands.pop(0)
    limit = parse_seconds(operands[0])
    try:
        async with asyncio.timeout(limit or None):
            return await _run_argv(process, operands[1:])
    except TimeoutError:
        return TIMED_OUT


def parse_seconds(text: str) -> float:
    """`90`, `1.5s`, `2m` in seconds."""
    unit = UNITS.get(text[-1:], 0)
    return float(text[:-1]) * unit if unit else float(text)


_VALUED = {"nice": {"-n"}, "ionice": {"-c", "-n"}, "stdbuf": {"-i", "-o", "-e"}, "sudo": {"-u"}}


@command("nohup", "setsid", "nice", "ionice", "stdbuf", "unbuffer", "sudo")
async def run_plainly(process: Process) -> int:
    args = list(process.args)
    while args and args[0].startswith("-"):
        if args.pop(0) in _VALUED.get(process.name, ()):
            args.pop(0)
    return await _run_argv(process, args) if args else 0


@command("xargs")
async def run_xargs(process: Process) -> int:
    options, operands = split_options(process.args, valued=("-n", "-I", "-d", "-P"))
    words = (await process.stdin.read_all()).decode().split("\0" if "-0" in options else None)
    if not words and ("-r" in options or not operands):
        return 0
    base = operands or ["echo"]
    if "-I" in options:
        batches = [[part.replace(options["-I"], word) for part in base] for word in words]
    else:
        size = int(options.get("-n") or len(words) or 1)
        batches = [[*base, *words[i : i + size]] for i in range(0, max(len(words), 1), size)]
    worst = 0
    for batch in batches:
        worst = max(worst, await _run_argv(process, batch))
    return 123 if worst else 0


@command("which")
async def find_programs(process: Process) -> int:
    found = [process.machine.find_path(name) for name in process.args]
    for place in found:
        if place:
            process.say(place)
    return 0 if found and all(found) else 1


@command("sleep")
async def sleep_scaled(process: Process) -> int:
    seconds = sum(parse_seconds(word) for word in process.args)
    await asyncio.sleep(max(seconds * process.world.scale, 0.001))
    return 0


@command("test", "[")
async def run_test(process: Process) -> int:
    from tests.pvesim.guest.commands.conditions import evaluate_condition

    words = process.args
    if posixpath.basename(process.argv[0]) == "[":
        if words[-1:] != ["]"]:
            return process.complain("[: missing ]", 2)
        words = words[:-1]
    return evaluate_condition(process, words)
