"""Programs that show files and what is known of them."""

import posixpath
import stat as modes

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.filesystem import Entry, FsError
from tests.pvesim.guest.machine import Process, command

NAMES = {0: "root", 33: "www-data", 65534: "nobody"}


@command("cat", directory="/bin")
async def show_files(process: Process) -> int:
    status = 0
    for name in [a for a in process.args if a == "-" or not a.startswith("-")] or ["-"]:
        try:
            process.stdout.write(await process.read_file(name))
        except FsError as error:
            status = process.fail(f"{name}: {error}")
    return status


@command("ls", directory="/bin")
async def list_files(process: Process) -> int:
    options, names = split_options(process.args)
    status = 0
    for name in names or ["."]:
        entry = process.fs.find(process.path(name))
        if entry is None:
            status = process.fail(f"cannot access '{name}': No such file or directory", 2)
        elif entry.kind == "d" and "-d" not in options:
            _list_directory(process, name, options, titled=len(names) > 1)
        else:
            _list_entry(process, name, entry, long="-l" in options)
    return status


def _list_directory(process: Process, name: str, options: dict[str, str], *, titled: bool) -> None:
    if titled:
        process.say(f"{name}:")
    path = process.path(name)
    hidden = "-a" in options or "-A" in options
    shown = [n for n in process.fs.list_dir(path) if hidden or not n.startswith(".")]
    if "-a" in options:
        shown = [".", "..", *shown]
    for child in shown:
        entry = process.fs.find(posixpath.normpath(posixpath.join(path, child)), follow=False)
        if entry:
            _list_entry(process, child, entry, long="-l" in options)


def _list_entry(process: Process, name: str, entry: Entry, *, long: bool) -> None:
    if not long:
        process.say(name)
        return
    owner, group = NAMES.get(entry.uid, entry.uid), NAMES.get(entry.gid, entry.gid)
    arrow = f" -> {entry.data.decode()}" if entry.kind == "l" else ""
    process.say(f"{show_mode(entry)} 1 {owner} {group} {len(entry.data):>8} Oct  9 08:53 {name}{arrow}")


def show_mode(entry: Entry) -> str:
    """`-rw-r--r--`."""
    kind = {"f": modes.S_IFREG, "d": modes.S_IFDIR, "l": modes.S_IFLNK}[entry.kind]
    return modes.filemode(kind | entry.mode)


@command("stat")
async def show_stat(process: Process) -> int:
    options, names = split_options(process.args, valued=("-c", "--format", "--printf"))
    form = (
        options.get("-c")
        or options.get("--format")
        or "  File: %n\n  Size: %s\nAccess: (%a/%A)  Uid: %u  Gid: %g"
    )
    status = 0
    for name in names:
        entry = process.fs.find(process.path(name), follow="-L" in options)
        if entry is None:
            status = process.fail(f"cannot statx '{name}': No such file or directory")
            continue
        for letter, value in _stat_fields(name, entry).items():
            form = form.replace(f"%{letter}", str(value))
        process.say(form)
    return status


def _stat_fields(name: str, entry: Entry) -> dict[str, object]:
    return {
        "n": name,
        "s": len(entry.data),
        "a": f"{entry.mode:o}",
        "A": show_mode(entry),
        "u": entry.uid,
        "g": entry.gid,
        "U": NAMES.get(entry.uid, "UNKNOWN"),
        "G": NAMES.get(entry.gid, "UNKNOWN"),
        "Y": entry.mtime,
        "F": {"f": "regular file", "d": "directory", "l": "symbolic link"}[entry.kind],
    }


@command("find")
async def find_files(process: Process) -> int:
    options, starts = split_options(process.args, valued=("-name", "-type", "-maxdepth", "-mindepth"))
    import fnmatch

    for start in starts or ["."]:
        base = process.fs.locate(process.path(start))
        process.fs.get(base)
        for path, entry in process.fs.walk(base):
            depth = path[len(base) :].count("/")
            if depth > int(options.get("-maxdepth", "99")) or depth < int(options.get("-mindepth", "0")):
                continue
            if options.get("-type", entry.kind) != entry.kind:
                continue
            if fnmatch.fnmatchcase(posixpath.basename(path), options.get("-name", "*")):
                process.say(start.rstrip("/") + path[len(base) :] if start != "/" else path)
    return 0


@command("readlink", "realpath")
async def resolve_paths(process: Process) -> int:
    options, names = split_options(process.args)
    for name in names:
        entry = process.fs.find(process.path(name), follow=False)
        if process.name == "readlink" and not {"-f", "-e", "-m"} & set(options):
            if entry is None or entry.kind != "l":
                return 1
            process.say(entry.data.decode())
        else:
            process.say(process.fs.locate(process.path(name)))
    return 0


@command("basename")
async def show_basename(process: Process) -> int:
    name = posixpath.basename(process.args[0].rstrip("/"))
    return process.say(name.removesuffix(process.args[1]) if len(process.args) > 1 else name)


@command("dirname")
async def show_dirname(process: Process) -> int:
    return process.say(posixpath.dirname(process.args[0].rstrip("/")) or ".")


@command("du")
async def show_usage(process: Process) -> int:
    for name in split_options(process.args)[1] or ["."]:
        size = sum(len(e.data) for _, e in process.fs.walk(process.path(name)))
        process.say(f"{max(4, size // 1024)}\t{name}")
    return 0


@command("df", directory="/bin")
async def show_free(process: Process) -> int:
    total = (process.fs.capacity or 8 << 30) // 1024
    used = process.fs.used() // 1024
    process.say("Filesystem     1K-blocks    Used Available Use% Mounted on")
    return process.say(f"/dev/loop0 {total} {used} {total - used} {100 * used // total}% /")
