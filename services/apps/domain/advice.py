"""Known problems of hosts, containers and registries, with their remedies and whether a retry can help."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """Remedy of a known problem; `may_pass` when it goes away by itself."""

    text: str
    may_pass: bool = False


# Characters of a line: the patterns take quadratic time, and a container may print anything.
_LINE = 2000
_KNOWN = (
    (
        r"ip_unprivileged_port_start.*permission denied",
        Advice(
            "the node's lxc-pve is older than this Docker needs (runc 1.3.3): run `apt update && apt install lxc-pve` "
            "(6.0.5-2 or newer) on the node, restart the container and try again"
        ),
    ),
    (
        r"overlay.*(not supported|invalid argument|operation not permitted)|driver not supported.*overlay",
        Advice(
            "the storage of the container's disk does not take Docker's layers: on ZFS the node needs ZFS 2.2 or newer; "
            "or choose another storage with config.storage"
        ),
    ),
    (
        r"no space left on device",
        Advice("the container's disk is full: give the app a larger config.disk_size"),
    ),
    (
        r"toomanyrequests|pull rate limit",
        Advice("the registry allows no more downloads for now; it is tried again", may_pass=True),
    ),
    (r"manifest unknown|manifest for \S+ not found", Advice("the registry has no such image")),
    (
        r"pull access denied|repository does not exist",
        Advice("the registry has no such image, or it needs a sign-in, which is not supported"),
    ),
    (
        r"Temporary failure (in name resolution|resolving)|could not resolve|no such host",
        Advice(
            "the container resolves no names: check the DNS servers of the network settings", may_pass=True
        ),
    ),
    (
        r"keyctl|apparmor.*denied.*docker",
        Advice("Docker needs more than this container may: with root's password the platform sets keyctl=1"),
    ),
)


def find_advice(text: str) -> Advice | None:
    """Return what to do about the first known problem in the output of a command or task, or None."""
    lines = [line[-_LINE:] for line in text.splitlines()]
    for pattern, advice in _KNOWN:
        if any(re.search(pattern, line, re.IGNORECASE) for line in lines):
            return advice
    return None
