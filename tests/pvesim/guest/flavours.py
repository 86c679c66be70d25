"""What the templates come with: files, packages, services."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.pvesim.guest.filesystem import DIRECTORY, Entry

DIRECTORIES = (
    "/bin /boot /dev /etc /etc/apt /etc/apt/keyrings /etc/apt/sources.list.d /etc/apk /etc/docker /etc/init.d /etc/profile.d "
    "/etc/systemd /etc/systemd/system /home /lib /media /mnt /opt /proc /proc/net /root /run /sbin /srv /sys /tmp /usr "
    "/usr/bin /usr/lib /usr/local /usr/local/bin /usr/local/sbin /usr/sbin /usr/share /usr/share/keyrings /var /var/cache "
    "/var/lib /var/log /var/run /var/tmp /var/lib/docker"
)
CODENAMES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}


@dataclass(frozen=True, slots=True)
class Flavour:
    """An operating system as its template has it."""

    name: str
    release: str
    packages: frozenset[str]
    services: tuple[str, ...]
    files: Mapping[str, Entry]


def _text(content: str, mode: int = 0o644) -> Entry:
    return Entry("f", data=content.encode(), mode=mode)


def _tree(files: Mapping[str, str]) -> dict[str, Entry]:
    tree: dict[str, Entry] = dict.fromkeys(DIRECTORIES.split(), DIRECTORY)
    tree["/tmp"] = Entry("d", mode=0o1777)
    tree.update({path: _text(content) for path, content in files.items()})
    tree["/etc/passwd"] = _text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    tree["/etc/shadow"] = Entry("f", data=b"root:*:20000:0:99999:7:::\n", mode=0o640)
    return tree


def _debian(release: str) -> Flavour:
    codename = CODENAMES.get(release, "trixie")
    name = f"Debian GNU/Linux {release} ({codename})"
    files = {
        "/etc/os-release": f'PRETTY_NAME="{name}"\nNAME="Debian GNU/Linux"\nVERSION_ID="{release}"\n'
        f'VERSION="{release} ({codename})"\nVERSION_CODENAME={codename}\nID=debian\nHOME_URL="https://www.debian.org/"\n',
        "/etc/debian_version": f"{release}.7\n",
        "/etc/apt/sources.list": f"deb http://deb.debian.org/debian {codename} main contrib\n",
    }
    packages = frozenset(
        {
            "apt",
            "bash",
            "dash",
            "coreutils",
            "iproute2",
            "systemd",
            "wget",
            "procps",
            "openssh-server",
            "tar",
            "gzip",
        }
    )
    return Flavour("debian", release, packages, ("ssh", "cron"), _tree(files))


def _alpine(release: str) -> Flavour:
    files = {
        "/etc/os-release": f'NAME="Alpine Linux"\nID=alpine\nVERSION_ID={release}.0\nPRETTY_NAME="Alpine Linux v{release}"\n'
        'HOME_URL="https://alpinelinux.org/"\n',
        "/etc/alpine-release": f"{release}.0\n",
        "/etc/apk/repositories": f"https://dl-cdn.alpinelinux.org/alpine/v{release}/main\n"
        f"https://dl-cdn.alpinelinux.org/alpine/v{release}/community\n",
        "/etc/apk/world": "alpine-base\n",
    }
    packages = frozenset({"apk", "busybox", "openrc", "tar", "gzip"})
    return Flavour("alpine", release, packages, ("crond", "networking"), _tree(files))


def _image(_: str) -> Flavour:
    files = {"/etc/os-release": 'NAME="Distroless"\nID=distroless\nPRETTY_NAME="Application image"\n'}
    return Flavour("oci", "", frozenset({"busybox"}), (), _tree(files))


_FLAVOURS: dict[tuple[str, str], Flavour] = {}


def get_flavour(name: str, release: str) -> Flavour:
    """A flavour; the same object each time, so that its files are shared."""
    key = (name, release)
    if key not in _FLAVOURS:
        _FLAVOURS[key] = {"alpine": _alpine, "oci": _image}.get(name, _debian)(release)
    return _FLAVOURS[key]


def recognise_template(template: str) -> Flavour:
    """The flavour that a template's file name tells: `debian-12-…`, `alpine-3.22-…`; else Debian 12."""
    name = template.rpartition("/")[2]
    match = re.match(r"(debian|ubuntu|alpine)-(\d+(?:\.\d+)?)", name)
    if not match:
        return get_flavour("debian", "12")
    system, release = match.groups()
    return (
        get_flavour("alpine", release)
        if system == "alpine"
        else get_flavour("debian", release if system == "debian" else "12")
    )
