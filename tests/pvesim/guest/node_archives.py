"""Archives on a node as a shell there reads them: real files of the machine, read by its own tar."""

import asyncio
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Protocol

from tests.pvesim.guest.machine import Process, command

LOCKED = 75
_PROGRAMS = {"tar.zst": ["zstd", "-q", "-c"], "tar.gz": ["gzip", "-c"], "tar.lzo": ["lzop", "-c"]}
_LZOP = b"\x89LZO\x00\r\n\x1a\n"  # by which tar knows what it would need


class StoredArchive(Protocol):
    """An archive on a storage."""

    name: str
    format: str
    config: str
    guest: dict[str, object] | None
    readable: float


class ArchiveShell(Protocol):
    """What the node's commands need of the model."""

    @property
    def locks(self) -> set[str]:
        """Files that `flock` has locked."""

    def find_volume_path(self, volid: str) -> str | None:
        """The path that `pvesm path` prints; None for an unknown storage."""

    def find_archive(self, path: str) -> StoredArchive | None:
        """The archive with this path."""


def build_file(archive: StoredArchive) -> bytes:
    """The archive as vzdump writes it, as far as it is there."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        contents = {"./etc/vzdump/pct.conf": archive.config, "./inside.json": json.dumps(archive.guest)}
        for name, text in contents.items():
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    data = packed.getvalue()
    program = _PROGRAMS.get(archive.format)
    if program is not None and shutil.which(program[0]):
        data = subprocess.run(program, input=data, capture_output=True, check=True).stdout
    elif archive.format == "tar.lzo":
        data = _LZOP + data
    return data[: int(len(data) * min(archive.readable, 1.0))]


@command("pvesm", packages=("pve-manager",))
async def run_pvesm(process: Process) -> int:
    shell: ArchiveShell = process.machine.shell  # type: ignore[attr-defined]
    if process.args[:1] != ["path"] or len(process.args) != 2:
        return process.complain("ERROR: unknown command", 255)
    volid = process.args[1]
    path = shell.find_volume_path(volid)
    if path is None:
        return process.complain(f"storage '{volid.partition(':')[0]}' does not exist", 255)
    return process.say(path)


@command("flock", packages=("pve-manager",))
async def run_flock(process: Process) -> int:
    """`flock --nonblock --conflict-exit-code N FILE COMMAND…`."""
    shell: ArchiveShell = process.machine.shell  # type: ignore[attr-defined]
    code, words = 1, list(process.args)
    while words and words[0].startswith("-"):
        if words.pop(0) in ("-E", "--conflict-exit-code"):
            code = int(words.pop(0))
    name = words.pop(0)
    if name in shell.locks:
        return code
    shell.locks.add(name)
    try:
        return await process.machine.spawn(process.derive(words)) or 0
    finally:
        shell.locks.discard(name)


async def read_archive(process: Process, archive: StoredArchive) -> int:
    """Run the machine's tar with the words of the process on the archive's file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "archive"
        file.write_bytes(await asyncio.to_thread(build_file, archive))
        running = await asyncio.create_subprocess_exec(
            "tar",
            *process.args[:-1],
            str(file),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )
        output, _ = await running.communicate()
    process.stdout.write(output.replace(str(file).encode(), process.args[-1].encode()))
    return running.returncode or 0
