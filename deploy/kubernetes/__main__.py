"""`python -m deploy.kubernetes [DIRECTORY]`: write the manifests, by default where they are committed."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

import protos  # noqa: F401 - puts the generated code on the path
from deploy.kubernetes.manifests import list_files
from deploy.kubernetes.settings import render_env_file
from gateway.surface import load_surface

BASE = Path(__file__).parent / "base"
EXAMPLE = Path(__file__).parent / "overlays" / "example"
_NOTE = "# Made by `make kubernetes`; change deploy/kubernetes/*.py instead.\n"


class _Plain(yaml.SafeDumper):
    """Without anchors: people read these files."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def write_manifests(directory: Path) -> None:
    """Write every file anew."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, objects in list_files(load_surface()).items():
        text = yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=110)
        (directory / name).write_text(_NOTE + text, encoding="utf-8")


def write_settings(directory: Path) -> None:
    """Write the files of the example overlay that list every setting."""
    for name, secret in (("settings.env", False), ("secrets.env", True)):
        (directory / name).write_text(render_env_file(secret=secret), encoding="utf-8")


if __name__ == "__main__":
    write_manifests(Path(sys.argv[1]) if len(sys.argv) > 1 else BASE)
    if len(sys.argv) == 1:
        write_settings(EXAMPLE)
