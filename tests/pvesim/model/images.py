"""What the images of well-known registries say about themselves."""

from typing import Any

UNKNOWN_WORDS = ("no-such", "nosuch", "nix-there", "does-not-exist", "missing-image")
"""Parts of a name that no registry has: tests of failing pulls use them."""

NO_SYSTEM_WORDS = ("distroless", "scratch", "wolfi", "chainguard", "whoami")
"""Parts of the names of images whose files do not say which distribution they are."""
NO_VERSION_WORDS = ("debian-base", "distroless/base", "distroless/cc")
"""Parts of the names of images that say `ID=debian` and have no /etc/debian_version, as distroless ones do."""

ENTRY_POINTS = {
    "nginx": "/docker-entrypoint.sh nginx -g 'daemon off;'",
    "redis": "docker-entrypoint.sh redis-server",
    "postgres": "docker-entrypoint.sh postgres",
    "adminer": "entrypoint.sh php -S [::]:8080 -t /var/www/html",
    "vaultwarden": "/start.sh",
    "server": "/start.sh",
    "gitea": "/usr/bin/entrypoint /usr/bin/s6-svscan /etc/s6",
    "grafana": "/run.sh",
    "uptime-kuma": "/usr/bin/dumb-init -- node server/server.js",
}


def describe_image(reference: str) -> dict[str, Any] | None:
    """An image's reference, entry point and environment, None when no registry has it."""
    path, _, tag = reference.rpartition(":")
    name = path.rpartition("/")[2]
    if any(word in reference for word in UNKNOWN_WORDS):
        return None
    return {
        "reference": reference,
        "ostype": detect_system(path),
        "entrypoint": ENTRY_POINTS.get(name, f"/entrypoint.sh {name}"),
        "env": {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"{name.upper().replace('-', '_')}_VERSION": tag,
        },
    }


def detect_system(path: str) -> str:
    """The distribution that Proxmox detects in an image, `debian?` when its version is missing, empty when unknown."""
    if any(word in path for word in NO_VERSION_WORDS):
        return "debian?"
    if any(word in path for word in NO_SYSTEM_WORDS):
        return ""
    return "alpine"
