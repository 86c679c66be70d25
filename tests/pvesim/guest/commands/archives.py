"""tar and gzip."""

import gzip
import io
import posixpath
import tarfile

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.machine import Process, command


@command("gzip", "gunzip", "zcat")
async def compress(process: Process) -> int:
    options, names = split_options(process.args)
    unpack = process.name != "gzip" or "-d" in options
    for name in names or ["-"]:
        data = await process.read_file(name)
        try:
            changed = gzip.decompress(data) if unpack else gzip.compress(data, mtime=0)
        except (OSError, EOFError):
            return process.fail("invalid magic" if data else "unexpected end of file")
        if name == "-" or "-c" in options or process.name == "zcat":
            process.stdout.write(changed)
            continue
        target = name.removesuffix(".gz") if unpack else f"{name}.gz"
        process.fs.write(process.path(target), changed)
        if "-k" not in options:
            process.fs.remove(process.path(name))
    return 0


@command("tar", directory="/bin")
async def run_tar(process: Process) -> int:
    args = list(process.args)
    if args and not args[0].startswith("-"):
        args[0] = f"-{args[0]}"
    options, names = split_options(args, valued=("-f", "-C", "--file", "--directory"))
    archive = options.get("-f") or options.get("--file") or "-"
    directory = process.path(options.get("-C") or options.get("--directory") or ".")
    try:
        if {"-x", "--extract", "-t"} & set(options):
            return _unpack(process, await process.read_file(archive), directory, list_only="-t" in options)
        data = _pack(process, names, directory, packed="-z" in options)
    except (tarfile.TarError, FsError) as error:
        return process.fail(f"{archive}: {error}", 2)
    if archive == "-":
        process.stdout.write(data)
    else:
        process.fs.write(process.path(archive), data)
    return 0


def _unpack(process: Process, data: bytes, directory: str, *, list_only: bool) -> int:
    process.fs.get(directory)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = posixpath.normpath(posixpath.join(directory, member.name))
            if list_only:
                process.say(member.name)
            elif member.isdir():
                process.fs.make_dir(path, parents=True, mode=member.mode)
            else:
                content = archive.extractfile(member)
                process.fs.make_dir(posixpath.dirname(path), parents=True)
                process.fs.write(path, content.read() if content else b"", mode=member.mode)
    return 0


def _pack(process: Process, names: list[str], directory: str, *, packed: bool) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if packed else "w") as archive:
        for name in names:
            base = process.fs.locate(posixpath.join(directory, name))
            process.fs.get(base)
            for path, entry in process.fs.walk(base):
                info = tarfile.TarInfo(posixpath.normpath(name + path[len(base) :]))
                info.type = tarfile.DIRTYPE if entry.kind == "d" else tarfile.REGTYPE
                info.mode, info.mtime, info.size = entry.mode, entry.mtime, len(entry.data)
                archive.addfile(info, io.BytesIO(entry.data))
    return buffer.getvalue()
