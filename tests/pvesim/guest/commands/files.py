"""Programs that change files."""

import posixpath
import random

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.machine import Process, command

SIZES = {"k": 1024, "K": 1024, "M": 1 << 20, "G": 1 << 30}
OWNERS = {"root": 0, "www-data": 33, "nobody": 65534}


@command("mkdir", directory="/bin")
async def make_directories(process: Process) -> int:
    options, names = split_options(process.args, valued=("-m", "--mode"))
    mode = int(options.get("-m") or options.get("--mode") or "755", 8)
    status = 0
    for name in names:
        try:
            process.fs.make_dir(
                process.path(name), parents="-p" in options or "--parents" in options, mode=mode
            )
        except FsError as error:
            status = process.fail(f"cannot create directory '{name}': {error}")
    return status


@command("rm", "unlink", directory="/bin")
async def remove_files(process: Process) -> int:
    options, names = split_options(process.args)
    recursive = bool({"-r", "-R", "--recursive"} & set(options))
    status = 0
    for name in names:
        path = process.path(name)
        entry = process.fs.find(path, follow=False)
        if entry is None and "-f" in options:
            continue
        if entry and entry.kind == "d" and not recursive:
            status = process.fail(f"cannot remove '{name}': Is a directory")
            continue
        try:
            process.fs.remove(path, recursive=recursive)
        except FsError as error:
            status = process.fail(f"cannot remove '{name}': {error}")
    return status


@command("rmdir", directory="/bin")
async def remove_directories(process: Process) -> int:
    for name in split_options(process.args)[1]:
        process.fs.remove(process.path(name))
    return 0


def _place_in(process: Process, source: str, target: str) -> str:
    path = process.path(target)
    return posixpath.join(path, posixpath.basename(source.rstrip("/"))) if process.fs.is_dir(path) else path


@command("mv", directory="/bin")
async def move_files(process: Process) -> int:
    names = split_options(process.args)[1]
    status = 0
    for name in names[:-1]:
        try:
            process.fs.move(process.path(name), _place_in(process, name, names[-1]))
        except FsError as error:
            status = process.fail(f"cannot stat '{name}': {error}")
    return status


@command("cp", directory="/bin")
async def copy_files(process: Process) -> int:
    options, names = split_options(process.args)
    status = 0
    for name in names[:-1]:
        entry = process.fs.find(process.path(name))
        if entry is None:
            status = process.fail(f"cannot stat '{name}': No such file or directory")
        elif entry.kind == "d" and not {"-r", "-R", "-a"} & set(options):
            status = process.fail(f"-r not specified; omitting directory '{name}'")
        else:
            copy_tree(process, process.path(name), _place_in(process, name, names[-1]))
    return status


def copy_tree(process: Process, source: str, target: str) -> None:
    """Copy a file, or a directory with everything in it."""
    start = process.fs.locate(source)
    for path, entry in list(process.fs.walk(start)):
        end = posixpath.normpath(target + path[len(start) :])
        if entry.kind == "d":
            process.fs.make_dir(end, parents=True, mode=entry.mode)
        elif entry.kind == "l":
            process.fs.link(entry.data.decode(), end)
        else:
            process.fs.write(end, entry.data, mode=entry.mode)


@command("ln", directory="/bin")
async def link_files(process: Process) -> int:
    options, names = split_options(process.args)
    target, name = names[0], names[-1] if len(names) > 1 else posixpath.basename(names[0])
    path = _place_in(process, target, name)
    if "-f" in options and process.fs.find(path, follow=False):
        process.fs.remove(path)
    process.fs.link(target, path)
    return 0


@command("chmod", directory="/bin")
async def change_mode(process: Process) -> int:
    recursive = process.args[:1] in (["-R"], ["--recursive"])
    operands = process.args[1:] if recursive else process.args
    for name in operands[1:]:
        path = process.path(name)
        if not process.fs.exists(path):
            return process.fail(f"cannot access '{name}': No such file or directory")
        for place in [p for p, _ in process.fs.walk(path)] if recursive else [path]:
            process.fs.change(place, mode=_read_mode(operands[0], process.fs.get(place).mode))
    return 0


def _read_mode(text: str, old: int) -> int:
    if text.isdigit():
        return int(text, 8)
    for clause in text.split(","):
        operator = next((c for c in clause if c in "+-="), "")
        if not operator:
            raise ValueError(f"invalid mode: '{text}'")
        who, _, what = clause.partition(operator)
        if not set(who) <= set("ugoa"):
            raise ValueError(f"invalid mode: '{text}'")
        bits = sum({"r": 4, "w": 2, "x": 1}.get(letter, 0) for letter in what)
        mask = sum(bits << {"u": 6, "g": 3, "o": 0}[w] for w in (who.replace("a", "ugo") or "ugo"))
        old = old | mask if operator == "+" else (old & ~mask if operator == "-" else mask)
    return old


@command("chown", "chgrp", directory="/bin")
async def change_owner(process: Process) -> int:
    options, names = split_options(process.args)
    user, _, group = names[0].partition(":")
    for name in names[1:]:
        path = process.path(name)
        if not process.fs.exists(path):
            return process.fail(f"cannot access '{name}': No such file or directory")
        for place in [p for p, _ in process.fs.walk(path)] if "-R" in options else [path]:
            process.fs.change(place, uid=find_id(user), gid=find_id(group))
    return 0


def find_id(name: str) -> int | None:
    """A user's or group's number; None for no name."""
    return int(name) if name.isdigit() else OWNERS.get(name, 1000) if name else None


@command("touch")
async def touch_files(process: Process) -> int:
    for name in split_options(process.args)[1]:
        process.fs.write(process.path(name), b"", append=True)
    return 0


@command("truncate")
async def truncate_files(process: Process) -> int:
    options, names = split_options(process.args, valued=("-s", "--size"))
    size = read_size(options.get("-s") or options.get("--size") or "0")
    for name in names:
        old = process.fs.read(process.path(name)) if process.fs.exists(process.path(name)) else b""
        process.fs.write(process.path(name), old[:size].ljust(size, b"\0"))
    return 0


@command("install")
async def install_files(process: Process) -> int:
    options, names = split_options(process.args, valued=("-m", "-o", "-g"))
    mode = int(options.get("-m") or "755", 8)
    if "-d" in options:
        for name in names:
            process.fs.make_dir(process.path(name), parents=True, mode=mode)
        return 0
    target = _place_in(process, names[0], names[-1])
    if "-D" in options:
        process.fs.make_dir(posixpath.dirname(target), parents=True)
    process.fs.write(target, await process.read_file(names[0]), mode=mode)
    return 0


@command("tee")
async def tee_input(process: Process) -> int:
    options, names = split_options(process.args)
    data = await process.stdin.read_all()
    process.stdout.write(data)
    for name in names:
        process.fs.write(process.path(name), data, append="-a" in options)
    return 0


@command("mktemp")
async def make_temporary(process: Process) -> int:
    options, names = split_options(process.args, valued=("-p", "--suffix"))
    directory = options.get("-p") or "/tmp"
    template = names[0] if names else "tmp.XXXXXXXXXX"
    if not template.endswith("XXX"):
        return process.fail(f"too few X's in template '{template}'")
    while True:
        letters = "".join(random.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(10))
        stem = template.rstrip("X")
        path = posixpath.join(
            directory if "-p" in options or not names or "-t" in options else process.cwd, stem
        )
        path += letters[: len(template) - len(stem)]
        if not process.fs.exists(path):
            break
    if "-d" in options:
        process.fs.make_dir(path, mode=0o700)
    else:
        process.fs.write(path, b"", mode=0o600)
    return process.say(path)


def read_size(text: str) -> int:
    """`4096`, `4k`, `1M` in bytes."""
    text = text.removesuffix("B")
    return int(text[:-1]) * SIZES[text[-1]] if text[-1:] in SIZES else int(text)


@command("dd", directory="/bin")
async def copy_blocks(process: Process) -> int:
    given = dict(word.split("=", 1) for word in process.args if "=" in word)
    block = read_size(given.get("bs", "512"))
    limit = block * int(given["count"]) if "count" in given else -1
    data = (await process.read_file(given.get("if", "-"), limit))[block * int(given.get("skip", "0")) :]
    if "of" in given:
        _write_blocks(process, given, data, block=block)
    else:
        process.stdout.write(data)
    if given.get("status") != "none":
        count = f"{len(data) // block}+{int(bool(len(data) % block))}"
        process.complain(f"{count} records in\n{count} records out\n{len(data)} bytes copied")
    return 0


def _write_blocks(process: Process, given: dict[str, str], data: bytes, *, block: int) -> None:
    path, offset = process.path(given["of"]), block * int(given.get("seek", "0"))
    old = process.fs.read(path) if process.fs.exists(path) else b""
    if "append" in given.get("oflag", ""):
        data = old + data
    elif offset or "notrunc" in given.get("conv", ""):
        data = (
            old[:offset].ljust(offset, b"\0")
            + data
            + (old[offset + len(data) :] if "notrunc" in given.get("conv", "") else b"")
        )
    process.fs.write(path, data)
