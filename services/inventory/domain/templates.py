"""Container templates: names as Proxmox gives them, and the choice of one for a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.inventory.domain.architectures import ALSO_RUNS

# Official packages whose own packages bring Docker with compose, the preferred one first. Proxmox also offers variants
# of a distribution with other names; only the whole name counts.
SUITABLE = (
    re.compile(r"debian-13-standard"),
    re.compile(r"alpine-3\.\d+-default"),
    re.compile(r"debian-12-standard"),
    re.compile(r"ubuntu-24\.04-standard"),
)
DEFAULT_ARCHITECTURE = "amd64"
_FILE = re.compile(
    r"(?P<package>[A-Za-z0-9][A-Za-z0-9.+-]*)_(?P<version>[A-Za-z0-9.+~-]+)_(?P<architecture>[a-z0-9]+)"
    r"\.tar(?:\.(?:gz|xz|zst|bz2))?"
)
_MACHINES = {
    "x86_64": "amd64",
    "i386": "i386",
    "i686": "i386",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "riscv64": "riscv64",
}
_ARCHITECTURES = frozenset({*_MACHINES.values(), "armel", "ppc64el", "s390x", "loong64", "mips64el"})


@dataclass(frozen=True)
class Template:
    """A template on a node or in Proxmox's list.

    Attributes:
        name: volume id, or file name of one that is not on the node yet.
        package: such as debian-13-standard; empty when the file is not named as official ones are.
        version: of the package.
        architecture: as Debian names it; empty when the file name has none.
    """

    name: str
    package: str = ""
    version: str = ""
    architecture: str = ""

    @property
    def file_name(self) -> str:
        """The file's name without storage and folder."""
        return self.name.rpartition("/")[2]


def parse_template(name: str) -> Template:
    """Parse a volume id or file name, such as `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`."""
    found = _FILE.fullmatch(name.rpartition("/")[2])
    if found is None or found["architecture"] not in _ARCHITECTURES:
        return Template(name)
    return Template(name, found["package"], found["version"], found["architecture"])


def parse_architecture(machine: str) -> str:
    """Return Debian's word for a machine as `uname -m` names it; amd64 for one that is not known."""
    return _MACHINES.get(machine, DEFAULT_ARCHITECTURE)


def runs_on(template: Template, architecture: str) -> bool:
    """Whether a node of this architecture runs a template; one without an architecture in its name may."""
    return not template.architecture or template.architecture == architecture


def can_run(template: Template, architecture: str) -> bool:
    """Whether a node runs a template that was requested by its whole name, also of its 32-bit architecture."""
    return runs_on(template, architecture) or template.architecture in ALSO_RUNS.get(architecture, ())


def choose_suitable(names: Iterable[str], architecture: str) -> str:
    """Return the newest template of the first official package of `SUITABLE` that has any; empty for none."""
    templates = _fit(names, architecture)
    for pattern in SUITABLE:
        if found := [one for one in templates if pattern.fullmatch(one.package)]:
            return _newest(found)
    return ""


def find_named(names: Sequence[str], wanted: str) -> str:
    """Return the template with this volume id or file name; empty for none.

    Proxmox appends `.tar` to the file name of a pulled OCI image, so a name without it is found too.
    """
    for name in (wanted, f"{wanted}.tar"):
        fitting = [each for each in names if each == name or ("/" not in name and _file_of(each) == name)]
        if fitting:
            return min(fitting)
    return ""


def find_package(names: Iterable[str], wanted: str, *, architecture: str) -> str:
    """Return the newest template of a package given by its whole name, with or without its version; empty for none."""
    package, _, version = wanted.partition("_")
    fitting = [
        one
        for one in _fit(names, architecture)
        if one.package == package and (not version or one.version == version)
    ]
    return _newest(fitting) if fitting else ""


def find_beginning(names: Iterable[str], wanted: str, *, architecture: str) -> str:
    """Return the newest template whose file name begins so, at the end of a word; official packages come first."""
    beginning = re.compile(re.escape(wanted) + r"(?![A-Za-z0-9])")
    fitting = [one for one in _fit(names, architecture) if beginning.match(one.file_name)]
    official = [one for one in fitting if any(each.fullmatch(one.package) for each in SUITABLE)]
    return _newest(official or fitting) if fitting else ""


def _fit(names: Iterable[str], architecture: str) -> list[Template]:
    return [one for one in map(parse_template, names) if runs_on(one, architecture)]


def _newest(templates: Sequence[Template]) -> str:
    """The newest one, by package and version; storages list in random order, so equal ones go by their names."""
    return max(
        templates, key=lambda one: (_numbers(one.package), _numbers(one.version or one.file_name), one.name)
    ).name


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def _file_of(name: str) -> str:
    return name.rpartition("/")[2]
