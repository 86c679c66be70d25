"""What the built images are: small, without root and pip, complete, listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.images import Image, find_envoy_image, list_images, write_sbom
from protos import VERSION
from services.registry import SERVICES
from tests.images.daemon import DockerError, run_docker

pytestmark = pytest.mark.timeout(2400)  # the first test builds everything
_LARGEST = 200_000_000  # bytes more than the base
IMAGES = list_images()


def read_size(tag: str) -> int:
    return int(run_docker("image", "inspect", "--format", "{{.Size}}", tag))


def run_python(image: Image, program: str) -> str:
    """Run Python in a container as the deployments restrain it."""
    restrained = (
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--network",
        "none",
    )
    return run_docker(
        "run", "--rm", *restrained, "--entrypoint", "python", f"{image.name}:{VERSION}", "-c", program
    )


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_is_small(image: Image, built: list[str]) -> None:
    assert read_size(f"{image.name}:{VERSION}") - read_size("python:3.11-slim-bookworm") < _LARGEST


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_a_container_has_no_root_and_no_installer(image: Image, built: list[str]) -> None:
    said = run_python(
        image, "import os, importlib.util as u; print(os.getuid(), os.getgid(), u.find_spec('pip'))"
    )
    assert said.split() == ["10001", "10001", "None"]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_nothing_but_temporary_files_and_state_can_be_written(image: Image, built: list[str]) -> None:
    with pytest.raises(DockerError, match="Read-only file system"):
        run_python(image, "open('/app/x', 'w')")


@pytest.mark.parametrize("service", SERVICES)
def test_every_module_of_a_service_can_be_imported_in_its_image(service: str, built: list[str]) -> None:
    program = (
        "import importlib, pkgutil, protos, services.common, services.clients\n"
        f"packages = [services.common, services.clients, importlib.import_module('services.{service}')]\n"
        "names = [m.name for p in packages for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.')]\n"
        "skipped = ('.versions.', '__main__')\n"
        "imported = [importlib.import_module(n) for n in names if not any(s in n for s in skipped)]\n"
        "print(len(imported))"
    )
    image = next(each for each in IMAGES if each.arguments.get("SERVICE") == service)
    assert int(run_python(image, program)) > 50


def test_the_gateway_has_envoy_of_the_version_that_the_dockerfile_names(built: list[str]) -> None:
    version = find_envoy_image().rpartition(":v")[2]
    asked = (
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "envoy",
        f"proximity-gateway:{VERSION}",
        "--version",
    )
    assert f"/{version}/" in run_docker(*asked)


def test_the_gateway_renders_a_configuration_that_its_envoy_accepts(built: list[str]) -> None:
    endpoints = [f"--endpoint={service}={service}:50051" for service in SERVICES]
    program = (
        "import subprocess, sys; from gateway.__main__ import main\n"
        f"assert main(['render', '--out=/tmp/envoy.json', *{endpoints}]) == 0\n"
        "done = subprocess.run(['envoy', '--mode', 'validate', '-c', '/tmp/envoy.json'], capture_output=True, text=True)\n"
        "print(done.returncode, done.stdout, done.stderr[-500:])"
    )
    asked = ("run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", "--entrypoint", "python")
    assert "OK" in run_docker(*asked, f"proximity-gateway:{VERSION}", "-c", program)


def test_the_list_of_packages_is_that_of_the_image(built: list[str], tmp_path: Path) -> None:
    write_sbom(f"proximity-apps:{VERSION}", tmp_path / "apps.json")
    document = json.loads((tmp_path / "apps.json").read_text("utf-8"))
    purls = {each["purl"] for each in document["components"]}
    assert any(each.startswith("pkg:pypi/grpcio@") for each in purls)
    assert any(each.startswith("pkg:deb/debian/libc6@") for each in purls)
