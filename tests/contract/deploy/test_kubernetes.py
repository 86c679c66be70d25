"""deploy/kubernetes/base: current, valid, restrained, and open only where the protos name a caller."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.kubernetes.__main__ import BASE, write_manifests
from deploy.kubernetes.manifests import find_callers
from deploy.secrets import make_secrets
from gateway.surface import load_surface
from services.registry import PROCESSES, SERVICES
from tests.pages import read_commands


def _read(directory: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        file.name: list(yaml.safe_load_all(file.read_text("utf-8")))
        for file in sorted(directory.glob("*.yaml"))
    }


FILES = _read(BASE)
OBJECTS = [each for name, objects in FILES.items() if name != "kustomization.yaml" for each in objects]
PODS = [each["spec"]["template"]["spec"] for each in OBJECTS if each["kind"] in {"Deployment", "Job"}]


def test_the_manifests_are_what_the_code_makes(tmp_path: Path) -> None:
    write_manifests(tmp_path)
    assert _read(tmp_path) == FILES


def test_the_commands_of_the_readme_make_every_secret_that_is_mounted(tmp_path: Path) -> None:
    """A kubectl that only notes what it is told; in the end each folder is what a pod would see."""
    make_secrets(tmp_path / "deploy" / "secrets")
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> "$NOTED"\n')
    kubectl.chmod(0o755)
    [block] = read_commands("deploy/kubernetes/README.md", by=__file__)
    environment = {"PATH": f"{kubectl.parent}:{os.environ['PATH']}", "NOTED": str(tmp_path / "noted")}
    subprocess.run(["bash", "-euc", block], check=True, cwd=tmp_path, env=environment, timeout=60)
    first, *others = (tmp_path / "noted").read_text("utf-8").splitlines()
    assert first == "create namespace proximity"
    made = dict(_read_secret(line, tmp_path) for line in others)
    assert {
        each["secret"]["secretName"] for pod in PODS for each in pod["volumes"] if "secret" in each
    } <= set(made)
    assert all(file.is_file() for files in made.values() for file in files)
    for service in SERVICES:
        held = {file.name for file in made[f"proximity-{service}"]}
        urls = {f"nats_url_{name}" for name in PROCESSES if name.removesuffix("-worker") == service}
        assert held == {f"{service}.key", *(f"{each}.pub" for each in SERVICES), *MOUNTED, *urls}
        tls = {file.name for file in made[f"proximity-{service}-tls"]}
        assert tls == {"ca.crt", f"{service}.crt", f"{service}.key"}


def _read_secret(line: str, folder: Path) -> tuple[str, list[Path]]:
    words = line.split()
    assert words[:5] == ["-n", "proximity", "create", "secret", "generic"]
    return words[5], [
        folder / word.removeprefix("--from-file=") for word in words if word.startswith("--from-file=")
    ]


def test_kustomize_finds_every_file() -> None:
    assert set(FILES["kustomization.yaml"][0]["resources"]) == set(FILES) - {"kustomization.yaml"}


@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_the_schema_accepts_it(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_every_pod_is_restricted() -> None:
    for pod in PODS:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert (
            pod["enableServiceLinks"] is False
        )  # PROXIMITY_RW_PORT, of the database's service, is no setting
        for container in pod["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]


MOUNTED = {
    str(value).removeprefix("/run/secrets/")
    for each in OBJECTS
    if each["kind"] == "ConfigMap"
    for value in each["data"].values()
    if str(value).startswith("/run/secrets/")
}


def test_each_process_uses_its_own_user_of_nats() -> None:
    used = {
        each["metadata"]["name"]: variable["value"]
        for each in OBJECTS
        if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
        for variable in container.get("env", [])
        if variable["name"] == "NATS_URL_FILE"
    }
    assert used == {name: f"/run/secrets/nats_url_{name}" for name in PROCESSES}


def _find_policy(component: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each["spec"]
        for each in OBJECTS
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == component
    )
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_reached_by_its_callers_alone(service: str) -> None:
    callers = find_callers(load_surface())
    expected = {"gateway"} | callers[service]
    expected |= {f"{each}-worker" for each in callers[service] if each in {"apps", "backups", "catalog"}}
    peers = _find_policy(service)["ingress"][0]["from"]
    assert {each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in peers} == expected


def test_proxmox_is_reached_by_inventory_alone() -> None:
    ports = {
        each["metadata"]["name"]
        for each in OBJECTS
        if each["kind"] == "NetworkPolicy"
        for rule in each["spec"].get("egress", [])
        if any(port["port"] == 8006 for port in rule["ports"])
    }
    assert ports == {"inventory"}
