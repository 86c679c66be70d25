"""Packages that can be installed, and the services they bring."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceKind:
    """A system service: its program, its ports (with address and kind), its web root."""

    program: str
    ports: tuple[tuple[int, str, str], ...] = ()
    root: str = "/var/www/html"
    bound: bool = True


SERVICES: Mapping[str, ServiceKind] = {
    "docker": ServiceKind("/usr/bin/dockerd"),
    "containerd": ServiceKind("/usr/bin/containerd"),
    "ssh": ServiceKind("sshd", ((22, "0.0.0.0", "tcp"),), bound=False),
    "sshd": ServiceKind("sshd", ((22, "0.0.0.0", "tcp"),), bound=False),
    "cron": ServiceKind("cron"),
    "crond": ServiceKind("crond"),
    "networking": ServiceKind("networking"),
    "nginx": ServiceKind("nginx", ((80, "0.0.0.0", "http"),)),
    "apache2": ServiceKind("apache2", ((80, "0.0.0.0", "http"),)),
    "lighttpd": ServiceKind("lighttpd", ((80, "0.0.0.0", "http"),)),
    "caddy": ServiceKind("caddy", ((80, "0.0.0.0", "http"),), root="/usr/share/caddy"),
    "grafana-server": ServiceKind("grafana", ((3000, "0.0.0.0", "http"),), root="/var/lib/grafana"),
    "postgresql": ServiceKind("postgres", ((5432, "127.0.0.1", "tcp"),), root="/var/lib/postgresql"),
    "mariadb": ServiceKind("mariadbd", ((3306, "127.0.0.1", "tcp"),), root="/var/lib/mysql"),
    "redis-server": ServiceKind("redis-server", ((6379, "127.0.0.1", "tcp"),), root="/var/lib/redis"),
}
DEBIAN: Mapping[str, tuple[str, ...]] = {
    "docker.io": ("docker", "containerd"),
    "docker-ce": ("docker", "containerd"),
    "nginx": ("nginx",),
    "nginx-light": ("nginx",),
    "apache2": ("apache2",),
    "lighttpd": ("lighttpd",),
    "caddy": ("caddy",),
    "postgresql": ("postgresql",),
    "mariadb-server": ("mariadb",),
    "redis-server": ("redis-server",),
    "redis": ("redis-server",),
    "openssh-server": ("ssh",),
    "cron": ("cron",),
}
ALPINE: Mapping[str, tuple[str, ...]] = {
    "docker": ("docker", "containerd"),
    "nginx": ("nginx",),
    "apache2": ("apache2",),
    "lighttpd": ("lighttpd",),
    "caddy": ("caddy",),
    "openssh": ("sshd",),
}
PLAIN = frozenset(
    [
        "bash",
        "curl",
        "wget",
        "ca-certificates",
        "gnupg",
        "jq",
        "git",
        "unzip",
        "zip",
        "tar",
        "gzip",
        "xz-utils",
        "procps",
        "iproute2",
        "net-tools",
        "lsb-release",
        "sudo",
        "vim",
        "nano",
        "less",
        "apt-transport-https",
        "software-properties-common",
        "tzdata",
        "openssl",
        "python3",
        "rsync",
        "iptables",
        "nftables",
        "coreutils",
        "findutils",
        "util-linux",
        "shadow",
        "openssh-client",
        "htop",
        "logrotate",
        "locales",
        "dbus",
        "fuse-overlayfs",
        "uidmap",
        "pigz",
        "netcat-openbsd",
        "make",
        "gcc",
        "sed",
        "grep",
        "socat",
        "file",
    ],
)
DEBIAN_ONLY = frozenset(
    {"docker-compose", "docker-cli", "docker-buildx", "containerd", "runc", "cgroupfs-mount"}
)
DOCKER_REPOSITORY = frozenset(
    {
        "docker-ce",
        "docker-ce-cli",
        "containerd.io",
        "docker-compose-plugin",
        "docker-buildx-plugin",
        "docker-ce-rootless-extras",
    },
)
ALPINE_ONLY = frozenset(
    {"docker-cli", "docker-cli-compose", "docker-openrc", "docker-compose", "containerd", "openrc", "fuse"}
)
DEPENDENCIES: Mapping[str, tuple[str, ...]] = {
    "docker-ce": ("containerd.io", "docker-ce-cli"),
    "docker.io": ("containerd", "runc"),
    "docker": ("docker-cli", "containerd", "docker-openrc"),
    "docker-compose": ("python3",),
}
DOCKER_CLIENTS = frozenset({"docker.io", "docker-ce-cli", "docker-cli"})


def is_known(package: str, flavour: str, *, docker_repository: bool = False) -> bool:
    """Whether the configured repositories have the package."""
    if package in PLAIN:
        return True
    if flavour == "alpine":
        return package in ALPINE or package in ALPINE_ONLY
    return (
        package in DOCKER_REPOSITORY
        if package in DOCKER_REPOSITORY and docker_repository
        else (package not in DOCKER_REPOSITORY and (package in DEBIAN or package in DEBIAN_ONLY))
    )


def brings_compose(packages: set[str], release: str) -> bool:
    """Whether `docker compose` works: Debian 12's docker-compose is the old separate program."""
    if packages & {"docker-compose-plugin", "docker-cli-compose"}:
        return True
    return (
        "docker-compose" in packages
        and "apk" not in packages
        and release.split(".", maxsplit=1)[0] not in ("11", "12")
    )
