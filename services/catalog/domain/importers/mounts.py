"""Mounts of a definition: every folder becomes a volume of the app, every file of the collection a config."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.attachments import Attachments
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, make_id, take_list, take_mapping
from services.catalog.domain.importers.volume_setup import FirstFiles
from services.catalog.domain.item_files.document import Value
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.host_needs import is_obtainable_device
from services.catalog.domain.renderer.interpolation import InterpolationError, interpolate_text

# Time zone and shared memory of the host: TZ and Docker provide both to a container.
_CLOCK = re.compile(r"/etc/(localtime|timezone)|/usr/share/zoneinfo(/.*)?|/dev/shm")
_OWN_FILES = re.compile(r"/etc/(?:resolv\.conf|hosts|hostname)|/dev/(?:u?random|null|zero)")
"""What Docker gives every container itself."""
# A path may begin with a variable for a folder, of which no value is known.
_LEADING = re.compile(r"\$(?:\{([A-Za-z_]\w*)[^}]*\}|([A-Za-z_]\w*))", re.ASCII)
# First parts of paths that are the operating system; a volume in their place would be empty and useless.
_SYSTEM_FOLDERS = frozenset(
    {"", "etc", "proc", "sys", "dev", "run", "boot", "lib", "lib64", "usr", "bin", "sbin", "var"}
)
# Folders below /var that belong to an app, not to the operating system, Docker or Proxmox.
_DATA_FOLDERS = re.compile(
    r"/var/(lib/(?!docker|container|kubelet|dpkg|dbus|systemd|lx[cd]|pve)[^/]+"
    r"|(?!lib|run|log|spool|lock|mail|cache|crash)[^/]+)(/.*)?"
)
# The path of a named volume on a Docker host: it is that volume.
_DOCKER_VOLUME = re.compile(r"/var/lib/docker/volumes/([A-Za-z0-9][\w.-]*)/_data(?:/.*)?", re.ASCII)
# Names of files by their endings: whether a bind mount is a file or a folder is written nowhere.
_FILE = re.compile(
    r".*[^.]\.(?:conf|cfg|cnf|ini|ya?ml|json|json5|toml|xml|env|txt|sh|bash|py|js|mjs|ts|rb|php|lua|sql|pem|crt|cert|key|pub"
    r"|properties|rules|html?|css|md|db|sqlite3?|log|list|csv|tmpl|tpl|template|j2|hcl|acl|htpasswd|service)"
    r"|\.(?:env|htpasswd|netrc|npmrc|pgpass|gitconfig)|Caddyfile|Corefile|Dockerfile|Procfile|torrc|crontab|htpasswd|passwd|hosts",
    re.IGNORECASE,
)
# Devices that make decoding and models faster; apps fall back to the processor.
_GRAPHICS = ("/dev/dri", "/dev/vcsm", "/dev/vchiq", "/dev/video", "/dev/nvidia", "/dev/kfd")
_MAX_MOUNTS = 500  # of a definition, which bounds the work for a hostile one


class Mounts:
    """The volumes of one definition.

    `devices` and `optional_devices` are those that the service read last mounts as if they were files.
    """

    def __init__(self, draft: Draft, attachments: Attachments, *, declared: Mapping[str, Any]) -> None:
        self._draft = draft
        self._attachments = attachments
        self._declared = declared
        self._count = 0
        self._by_source: dict[str, str] = {}
        self.names: set[str] = set()
        self.first = FirstFiles()
        self.devices: list[str] = []
        self.optional_devices: list[str] = []

    def clean_mounts(self, entries: Value) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the volumes and configs that replace the mounts of a service.

        Raises:
            RefusedEntryError: it mounts the system or Docker itself.
        """
        self.devices, self.optional_devices = [], []
        volumes: list[str] = []
        files: list[dict[str, Any]] = []
        self._count += len(take_list(entries))
        if self._count > _MAX_MOUNTS:
            raise RefusedEntryError(f"mounts more than {_MAX_MOUNTS} folders")
        for entry in take_list(entries):
            # All reasons are collected, so that an administrator sees them at once.
            try:
                added, attached = self._clean_mount(entry)
            except RefusedEntryError as error:
                self._draft.refuse(str(error))
                continue
            volumes += added
            files += attached
        return volumes, files

    def _clean_mount(self, entry: Value) -> tuple[list[str], list[dict[str, Any]]]:
        mount = self._read_mount(entry)
        if mount is None or _CLOCK.fullmatch(mount.source) or _CLOCK.fullmatch(mount.target):
            return [], []
        if _OWN_FILES.fullmatch(mount.source):
            self._draft.note(f"{mount.target} is that of the app's own container, not of its host.")
            return [], []
        if mount.source.rstrip("/") == "/lib/modules":
            note_kernel_modules(self._draft)
            return [], []
        if mount.source.startswith(_GRAPHICS):
            is_optional = is_obtainable_device(mount.source)
            note_graphics(self._draft, is_optional=is_optional)
            self.optional_devices += [mount.source] if is_optional else []
            return [], []
        if mount.source == "/dev/net/tun":
            self.devices.append(mount.source)
            return [], []
        mount = self._read_declared(mount)
        path = self._find_own_path(mount.source)
        if attached := [] if path is None else self._attach(path, mount):
            return [], attached
        volume = self._find_volume(mount, path)
        self._check_file(mount, path)
        self._seed(path or "", volume)
        return [f"{volume}:{mount.target}{':ro' if mount.read_only else ''}"], []

    def _read_declared(self, mount: compose.Mount) -> compose.Mount:
        """Return the folder that a named volume stands for, or refuse a driver that only the other system has."""
        record = take_mapping(self._declared.get(mount.source))
        options = {key: str(value) for key, value in take_mapping(record.get("driver_opts")).items()}
        device = resolve_text(options.get("device", ""), self._draft)
        if "bind" in options.get("o", "") and device:
            return compose.Mount("bind", device, mount.target, mount.read_only)
        name = mount.source
        if options.get("type", "none") not in {"none", "tmpfs", ""}:
            where = f"{options.get('o', '')[:100]} {device[:100]}".strip()
            self._draft.note(
                f"The volume {name} is on a file server there ({options['type'][:20]} {where}); here it is an empty volume of the app."
            )
        elif record.get("driver", "local") != "local":
            self._draft.note(
                f"The volume {name} is made by {str(record['driver'])[:60]} there; here it is an empty volume of the app."
            )
        if compose.is_on(record.get("external", False)):
            self._draft.note(
                f"The volume {name} exists before the app there; here it is an empty volume of the app."
            )
        return mount

    def _check_file(self, mount: compose.Mount, path: str | None) -> None:
        """Refuse a file that the collection does not have: a volume in its place would be a folder.

        Raises:
            RefusedEntryError: what is mounted is a file, going by its name.
        """
        is_path = path is not None or mount.source.startswith(("/", "~", "$"))
        if not is_path or mount.kind != "bind" or (path and self._list_inside(path)):
            return
        names = [part.rstrip("/").rpartition("/")[2] for part in (mount.source, mount.target)]
        if names[1] and all(map(_FILE.fullmatch, names)):
            raise RefusedEntryError(
                f"needs the file {path or mount.source}, which is not part of its collection"
            )

    def _read_mount(self, entry: Value) -> compose.Mount | None:
        try:
            (mount,) = compose.parse_mounts([entry])
        except compose.InvalidComposeError as error:
            raise RefusedEntryError(str(error)) from None
        if mount.kind == "tmpfs":
            return None
        source = re.sub(r"^\$([A-Za-z_]\w*)", r"${\1}", mount.source)
        if not source.startswith(self._draft.shared_folders):
            source = self._resolve_source(source)
        target = resolve_text(mount.target, self._draft)
        if isinstance(entry, dict) and take_mapping(entry.get("volume")).get("subpath"):
            self._draft.note(
                f"{target} is a folder inside of the volume {source[:100]} there; here it is all of the volume."
            )
        return compose.Mount(mount.kind, source, target, mount.read_only)

    def _resolve_source(self, source: str) -> str:
        """Replace variables by defaults; a folder that only an unset variable names is one of the app's own."""
        resolved = resolve_text(source, self._draft)
        leading = _LEADING.match(source)
        if leading and not resolve_text(leading[0], self._draft):
            return f"./{resolved.strip('/') or (leading[1] or leading[2]).lower()}"
        return resolved

    def _find_own_path(self, source: str) -> str | None:
        """Return a path in the app's own folder; None where it is not in there, or a volume's name."""
        for prefix in self._draft.own_folders:
            if source.startswith(prefix) or source == prefix.rstrip("/"):
                return source[len(prefix) :].strip("/")
        if not source.startswith("."):
            return source if "/" in source.strip("/") and not source.startswith(("/", "~", "$")) else None
        path = posixpath.normpath(source)
        if path.startswith(".."):
            raise RefusedEntryError(f"mounts {source}, outside its own folder")
        return "" if path == "." else path

    def _attach(self, path: str, mount: compose.Mount) -> list[dict[str, Any]]:
        """Return the file of the collection that is mounted, or the files of a folder that is only read."""
        if {path, f"{path}.template"} & self._draft.files.keys():
            return [self._attachments.attach_file(path, mount.target)]
        inside = self._attachments.leave_out_pictures(self._list_inside(path)) if mount.read_only else []
        target = mount.target.rstrip("/")
        return [self._attachments.attach_file(f, f"{target}/{f[len(path) + 1 :]}") for f in inside]

    def _list_inside(self, path: str) -> list[str]:
        """Return the files of a folder of the collection, without hidden ones."""
        prefix = f"{path}/"
        return [f for f in self._draft.files if path and f.startswith(prefix) and "/." not in f"/{f}"]

    def _seed(self, path: str, volume: str) -> None:
        """Fill a new volume with the files that the collection has in its folder."""
        inside = [] if volume in self.first.volumes else self._list_inside(path)
        if not inside:
            return
        if self._attachments.fits(texts := self._attachments.leave_out_pictures(inside)):
            inside = texts
        if not self._attachments.fits(inside):
            shown = ", ".join(sorted(inside)[:5])
            self._draft.note(
                f"The volume {volume} begins empty; its collection puts files there: {shown[:300]}."
            )
            return
        self.first.volumes.add(volume)
        self.first.references += [
            self._attachments.attach_file(file, f"/files/{volume}/{file[len(path) + 1 :]}") for file in inside
        ]

    def _find_volume(self, mount: compose.Mount, path: str | None) -> str:
        if not mount.source:
            return self._name_volume(mount.target, mount.target)
        if path is not None:
            return self._name_volume(mount.source, path)
        if not mount.source.startswith(("/", "~", "$")):
            return self._name_volume(mount.source, mount.source)
        return self._name_volume(mount.source, self._check_folder(mount.source))

    def _check_folder(self, source: str) -> str:
        """Return the part of a folder on the other system's host that names its volume."""
        for prefix in self._draft.shared_folders:
            if source.startswith(prefix) and ".." not in source.split("/"):
                self._draft.note(f"{source[:200]} of the host is an empty volume of the app here.")
                return source.removeprefix(prefix) or "shared"
        if volume := _DOCKER_VOLUME.fullmatch(source):
            return volume[1]
        if source.endswith("docker.sock"):
            raise RefusedEntryError("mounts the Docker socket, which would give it the whole container host")
        parts = source.split("/")
        is_system = source.startswith("/") and parts[1] in _SYSTEM_FOLDERS
        is_data = _DATA_FOLDERS.fullmatch(source)
        if ".." in parts or ".X11-unix" in parts or source.endswith(".sock") or (is_system and not is_data):
            raise RefusedEntryError(f"mounts {source} of its host")
        self._draft.note(f"{source[:200]} of the host is an empty volume of the app here.")
        return source

    def _name_volume(self, source: str, path: str) -> str:
        if source in self._by_source:
            return self._by_source[source]
        parts = [part for part in (make_id(part) for part in path.split("/")) if part]
        base = "-".join(parts[-2:])[:60].strip("-") or "data"
        name, number = base, 2
        while name in self.names:
            name, number = f"{base}-{number}", number + 1
        self.names.add(name)
        self._by_source[source] = name
        return name


def note_graphics(draft: Draft, *, is_optional: bool = False) -> None:
    """Note that an app will go without the graphics card that it could use, unless an administrator allows it one."""
    unless = " unless an administrator allows it with CATALOG_HOST_NEEDS" if is_optional else ""
    draft.note(f"Made to use a graphics card for speed, which this container does not get{unless}.")


def note_kernel_modules(draft: Draft) -> None:
    """Note that a container loads no kernel modules."""
    draft.note("Loads kernel modules there; here the node must have loaded those it needs (as wireguard).")


def is_graphics(device: object) -> bool:
    """Return whether a device is a graphics card, without which an app is only slower."""
    return str(device).startswith(_GRAPHICS)


def list_defaults(draft: Draft) -> Mapping[str, str]:
    """Return the defaults of the inputs."""
    return {r["name"]: str(r["default"]) for r in draft.inputs if r.get("default") not in (None, "")}


def resolve_text(value: Value, draft: Draft) -> str:
    """Replace the remaining variables by their defaults.

    Raises:
        RefusedEntryError: a variable is required or written wrongly.
    """
    try:
        return interpolate_text(str(value), list_defaults(draft))
    except InterpolationError as error:
        raise RefusedEntryError(str(error)) from None
