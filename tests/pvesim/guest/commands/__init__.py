"""The programs that guests and nodes have. Importing this package registers them all."""

from tests.pvesim.guest.commands import (
    archives,
    docker,
    files,
    filters,
    listings,
    network,
    packages,
    services,
    shells,
    system,
    text,
    web,
)

__all__ = [
    "archives",
    "docker",
    "files",
    "filters",
    "listings",
    "network",
    "packages",
    "services",
    "shells",
    "system",
    "text",
    "web",
]
