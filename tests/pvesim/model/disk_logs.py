"""What Proxmox's tasks log about volumes and archives."""

import uuid

from tests.pvesim.model.entities import Storage, Task, Volume

_BLOCK = 4096
_INODE = 16384  # bytes for each inode of a new ext4
_MIB = 1 << 20
_FOLDERS = {"backup": "dump", "vztmpl": "template/cache", "iso": "template/iso"}


def locate(storage: Storage, volume_name: str) -> str:
    """The path of an archive, template or disk on a file storage."""
    content, _, name = volume_name.partition("/")
    folder = _FOLDERS.get(content)
    return f"{storage.path}/{folder}/{name}" if folder else f"{storage.path}/images/{volume_name}"


def log_new_disk(task: Task, storage: Storage, volume_name: str, size: int) -> None:
    """Log a new volume and its ext4; a directory names the file that it formats."""
    if storage.is_file_based and storage.type != "btrfs":
        path = locate(storage, volume_name)
        task.log(f"Formatting '{path}', fmt=raw size={size} preallocation=off")
    blocks = size // _BLOCK
    copies = [32768 * one for one in (1, 3, 5, 7, 9, 25, 27) if 32768 * one < blocks]
    task.log(
        f"Creating filesystem with {blocks} 4k blocks and {size // _INODE} inodes",
        f"Filesystem UUID: {uuid.uuid4()}",
        "Superblock backups stored on blocks: ",
        "\t" + ", ".join(map(str, copies)),
    )


def log_extraction(task: Task, storage: Storage, archive: Volume) -> None:
    """Log the unpacking of an archive: its path before, the bytes after it."""
    task.log(f"extracting archive '{locate(storage, archive.name)}'")


def log_bytes_read(task: Task, archive: Volume) -> None:
    """Log the size of what was unpacked."""
    unpacked = archive.size * 3
    task.log(f"Total bytes read: {unpacked} ({max(1, unpacked // _MIB)}MiB, 463MiB/s)")


def log_copied_files(task: Task, size: int) -> None:
    """Log the statistics that rsync prints at the end of a full clone."""
    task.log(
        "",
        "Number of files: 6,307 (reg: 4,857, dir: 502, link: 947, special: 1)",
        "Number of created files: 6,305 (reg: 4,857, dir: 500, link: 947, special: 1)",
        "Number of deleted files: 0",
        "Number of regular files transferred: 4,855",
        f"Total file size: {size:,} bytes",
        f"Total transferred file size: {size:,} bytes",
        f"Literal data: {size:,} bytes",
        "Matched data: 0 bytes",
        "",
        f"total size is {size:,}  speedup is 1.03",
    )
