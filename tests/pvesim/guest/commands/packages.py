"""apt-get and apk."""

import asyncio

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.machine import Process, command
from tests.pvesim.guest.place import Service
from tests.pvesim.guest.software import ALPINE, DEBIAN, DEPENDENCIES, is_known

APT_FAILED = 100
DOCKER_HOST = "download.docker.com"


@command("apt-get", "apt", "aptitude", packages=("apt",))
async def run_apt(process: Process) -> int:
    guest = process.machine
    assert isinstance(guest, Guest)
    options, operands = split_options(process.args, valued=("-o", "-t", "--option"))
    action, names = (operands[0], operands[1:]) if operands else ("", [])
    if action == "update":
        return await _update_apt(process, guest)
    if action == "install":
        confirmed = bool({"-y", "--yes", "--assume-yes"} & set(options) or "-qq" in process.args)
        return await _install_apt(process, guest, names, confirmed=confirmed)
    if action in ("remove", "purge"):
        guest.packages.difference_update(names)
        return 0
    return (
        0
        if action in ("upgrade", "dist-upgrade", "clean", "autoremove", "autoclean")
        else process.fail(f"Invalid operation {action}", APT_FAILED)
    )


async def _update_apt(process: Process, guest: Guest) -> int:
    sources = _read_sources(guest)
    if process.world.take_fault("mirror_unreachable", guest.place.key, subject="apt-get update"):
        process.complain(
            "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org'"
        )
        return process.complain(
            "W: Some index files failed to download. They have been ignored, or old ones used instead.", 0
        )
    await process.world.spend("package_update")
    if DOCKER_HOST in sources and not any(
        n.startswith("docker") for n in guest.fs.list_dir("/etc/apt/keyrings")
    ):
        process.complain(
            f"W: GPG error: https://{DOCKER_HOST}/linux/debian InRelease: the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8"
        )
        return process.complain(
            f"E: The repository 'https://{DOCKER_HOST}/linux/debian InRelease' is not signed.", APT_FAILED
        )
    guest.package_index = ["debian", *(["docker"] if DOCKER_HOST in sources else [])]
    process.say("Hit:1 http://deb.debian.org/debian bookworm InRelease")
    return process.say("Reading package lists...")


def _read_sources(guest: Guest) -> str:
    listed = [f"/etc/apt/sources.list.d/{name}" for name in guest.fs.list_dir("/etc/apt/sources.list.d")]
    files = [path for path in ["/etc/apt/sources.list", *listed] if guest.fs.is_file(path)]
    return "\n".join(guest.fs.read(path).decode(errors="replace") for path in files)


async def _install_apt(process: Process, guest: Guest, names: list[str], *, confirmed: bool) -> int:
    process.say("Reading package lists...\nBuilding dependency tree...\nReading state information...")
    new = [name for name in names if name not in guest.packages]
    indexed = "debian" in guest.package_index
    for name in new:
        if not indexed or not is_known(name, "debian", docker_repository="docker" in guest.package_index):
            if name.startswith("docker-ce") and indexed:
                process.complain(f"Package {name} is not available, but is referred to by another package.")
                return process.complain(f"E: Package '{name}' has no installation candidate", APT_FAILED)
            return process.complain(f"E: Unable to locate package {name}", APT_FAILED)
    if new and not confirmed:
        process.say("Do you want to continue? [Y/n] Abort.")
        return 1
    if process.world.take_fault("mirror_unreachable", guest.place.key, subject=" ".join(names)):
        process.complain(
            "E: Failed to fetch http://deb.debian.org/debian/pool/main/d/docker.io/docker.io_20.10.24_amd64.deb  Could not connect"
        )
        return process.complain(
            "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?",
            APT_FAILED,
        )
    if not await _spend_install(process, guest, new):
        return process.complain(
            "dpkg: error: failed to write (No space left on device)\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
            APT_FAILED,
        )
    return _start_installed(process, guest, new)


async def _spend_install(process: Process, guest: Guest, names: list[str]) -> bool:
    """Take the time of an installation and do it; False when the disk is full."""
    subject = " ".join(names)
    if hang := process.world.take_fault("install_hang", guest.place.key, subject=subject):
        await asyncio.sleep(hang.seconds)
    if process.world.take_fault("no_space", guest.place.key, subject=subject):
        return False
    if names:
        await process.world.spend("package_install")
    for name in names:
        guest.packages.update((name, *DEPENDENCIES.get(name, ())))
        process.say(f"Setting up {name} ..." if guest.flavour == "debian" else f"Installing {name}")
    return True


def _start_installed(process: Process, guest: Guest, names: list[str]) -> int:
    for name in names:
        for service in DEBIAN.get(name, ()):
            guest.services.setdefault(service, Service(enabled=True))
            if not guest.start_service(service, process.world):
                process.complain(
                    "Job for docker.service failed because the control process exited with error code."
                )
                process.complain('invoke-rc.d: initscript docker, action "start" failed.')
                process.complain(
                    f"dpkg: error processing package {name} (--configure):\n installed {name} package post-installation script subprocess returned error exit status 1"
                )
                return process.complain("E: Sub-process /usr/bin/dpkg returned an error code (1)", APT_FAILED)
    return 0


@command("apk", packages=("apk",), directory="/sbin")
async def run_apk(process: Process) -> int:
    guest = process.machine
    assert isinstance(guest, Guest)
    options, operands = split_options(process.args, valued=("-t", "--virtual", "--repository", "-X"))
    action, names = (operands[0], operands[1:]) if operands else ("", [])
    fresh = bool({"-U", "--update-cache", "--update", "--no-cache"} & set(options))
    updates = action == "update" or (fresh and action == "add")
    if updates and not await _update_apk(process, guest):
        return 1
    if action == "add":
        return await _add_apk(process, guest, names)
    if action == "del":
        guest.packages.difference_update(names)
    if action == "info":
        return 0 if all(name in guest.packages for name in names) else 1
    return (
        0
        if action in ("update", "upgrade", "del", "add", "fix", "cache")
        else process.complain(f"ERROR: '{action}' is not an apk command.")
    )


async def _update_apk(process: Process, guest: Guest) -> bool:
    if process.world.take_fault("mirror_unreachable", guest.place.key, subject="apk update"):
        mirror = f"https://dl-cdn.alpinelinux.org/alpine/v{guest.release}/main"
        process.complain(
            f"WARNING: updating and opening {mirror}: temporary error (try again later)\n4 unavailable, 0 stale; 0 distinct packages available"
        )
        return False
    await process.world.spend("package_update")
    community = "\nhttp" in "\n" + "\n".join(
        line
        for line in guest.fs.read("/etc/apk/repositories").decode().splitlines()
        if line.rstrip("/").endswith("community")
    )
    guest.package_index = ["main", *(["community"] if community else [])]
    process.say("OK: 25397 distinct packages available")
    return True


async def _add_apk(process: Process, guest: Guest, names: list[str]) -> int:
    new = [name for name in names if name not in guest.packages]
    missing = [n for n in new if not _is_in_index(n, guest)]
    if missing:
        process.complain("ERROR: unable to select packages:")
        for name in missing:
            process.complain(f"  {name} (no such package):\n    required by: world[{name}]")
        return len(missing)
    if not await _spend_install(process, guest, new):
        return process.complain("ERROR: docker: No space left on device")
    for name in names:  # also those that an installation which was cut off left behind
        for service in ALPINE.get(name, ()):
            guest.services.setdefault(service, Service())
    return process.say(f"OK: {60 + len(guest.packages)} MiB in {len(guest.packages)} packages")


def _is_in_index(name: str, guest: Guest) -> bool:
    repository = "community" if name.startswith(("docker", "containerd", "caddy")) else "main"
    return repository in guest.package_index and is_known(name, "alpine")
