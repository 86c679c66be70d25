"""`python -m deploy.sbom`: what the images are built of, as CycloneDX 1.6, from the locked requirements."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.common import VERSION

LOCKS = tuple(sorted(Path(__file__).parent.glob("requirements-*.txt")))
_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def build_sbom() -> dict[str, Any]:
    """Every package of every lock once, in order, with the hashes of the files that may be installed."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for lock in LOCKS:
        for name, version, hashes in read_lock(lock.read_text(encoding="utf-8")):
            image = lock.stem.removeprefix("requirements-")
            known = found.setdefault((name, version), _build_component(name, version, hashes))
            known["properties"].append({"name": "proximity:image", "value": image})
    application = {"type": "application", "name": "proximity", "version": VERSION, "bom-ref": "proximity"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": application},
        "components": [found[key] for key in sorted(found)],
    }


def read_lock(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and hashes of every package of a lock.

    Raises:
        ValueError: a package has no hash.
    """
    for block in re.split(r"\n(?=\S)", text):
        if match := _PACKAGE.match(block):
            hashes = sorted(_HASH.findall(block))
            if not hashes:
                raise ValueError(f"{match.group(1)} is locked without a hash")
            yield match.group(1).lower(), match.group(2), hashes


def _build_component(name: str, version: str, hashes: list[str]) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
        "properties": [],
    }


if __name__ == "__main__":
    json.dump(build_sbom(), sys.stdout, indent=2)
    sys.stdout.write("\n")
