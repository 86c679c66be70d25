"""Files that are made when read: /proc and /dev."""

import os
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.pvesim.guest.filesystem import Generated

if TYPE_CHECKING:
    from tests.pvesim.guest.guest import Guest

ENDLESS = 1 << 16


def make_generated(
    guest: "Guest", *, tcp: Callable[[], bytes], udp: Callable[[], bytes]
) -> Mapping[str, Generated]:
    """The generated files of a guest."""
    made: dict[str, Generated] = {
        "/dev/null": lambda _: b"",
        "/dev/zero": lambda size: bytes(size if size >= 0 else ENDLESS),
        "/dev/urandom": _read_random,
        "/dev/random": _read_random,
        "/proc/net/tcp": _cut(tcp),
        "/proc/net/udp": _cut(udp),
        "/proc/meminfo": _cut(lambda: _show_memory(guest.place.memory)),
        "/proc/1/comm": _cut(lambda: b"init\n" if guest.flavour == "alpine" else b"systemd\n"),
        "/proc/sys/kernel/hostname": _cut(lambda: _line(guest.hostname)),
        "/proc/sys/kernel/random/uuid": _cut(lambda: _line(uuid.uuid4())),
    }
    made.update({path: _constant(content) for path, content in CONSTANT.items()})
    return made


CONSTANT: Mapping[str, bytes] = {
    "/proc/net/tcp6": b"",
    "/proc/uptime": b"60.00 60.00\n",
    "/proc/loadavg": b"0.00 0.00 0.00 1/20 100\n",
    "/proc/1/environ": b"container=lxc\0",
    "/proc/mounts": b"/dev/loop0 / ext4 rw,relatime 0 0\n",
    "/proc/self/cgroup": b"0::/\n",
}


def _constant(content: bytes) -> Generated:
    return lambda size: content if size < 0 else content[:size]


def _cut(make: Callable[[], bytes]) -> Generated:
    return lambda size: make() if size < 0 else make()[:size]


def _line(value: object) -> bytes:
    return f"{value}\n".encode()


def _read_random(size: int) -> bytes:
    return os.urandom(size if size >= 0 else ENDLESS)


def _show_memory(mebibytes: int) -> bytes:
    return f"MemTotal: {mebibytes * 1024:>12} kB\nMemFree: {mebibytes * 768:>13} kB\n".encode()
