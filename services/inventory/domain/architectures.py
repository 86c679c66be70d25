"""Architectures of nodes, in Debian's words, and of images, in Docker's."""

from __future__ import annotations

from collections.abc import Collection

_OF_IMAGES = {"amd64": "amd64", "arm64": "arm64", "arm": "armhf", "386": "i386", "riscv64": "riscv64"}
ALSO_RUNS = {"amd64": frozenset({"i386"}), "arm64": frozenset({"armhf"})}
"""What a node runs besides its own architecture."""


def describe_architecture_obstacle(node: str, architecture: str, *, wanted: Collection[str]) -> str:
    """Say why a node cannot run images for these architectures; empty when it can, or when either is not known.

    Args:
        node: its name.
        architecture: its own, in Debian's words.
        wanted: those of the images, in Docker's words.
    """
    runs = {architecture, *ALSO_RUNS.get(architecture, ())}
    if not architecture or not wanted or runs & {_OF_IMAGES.get(one, one) for one in wanted}:
        return ""
    return f"node {node} is {architecture}, and the images of the app are for {', '.join(sorted(wanted))}"
