"""Each documented setting reaches the pods that read it, and only those; metrics can be scraped."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.configuration import list_variables
from deploy.kubernetes.__main__ import BASE, EXAMPLE, write_settings
from deploy.kubernetes.settings import FIXED, METRICS_PORT, SETTINGS
from gateway.environment import read_environment
from gateway.metrics import METRICS_PATH
from gateway.settings import Endpoint
from services.registry import GATEWAY, PROCESSES, SERVICES

VARIABLES = {each.name: each for each in list_variables()}
PASSED = sorted(
    name for name, each in VARIABLES.items() if {*SERVICES, GATEWAY} & set(each.readers) and name not in FIXED
)
OBJECTS = [
    each
    for file in sorted(BASE.glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for each in yaml.safe_load_all(file.read_text("utf-8"))
]
COMPONENTS = BASE.parent / "components"
CONTAINERS = {
    each["metadata"]["name"]: container
    for each in OBJECTS
    if each["kind"] in {"Deployment", "Job"}
    for container in each["spec"]["template"]["spec"]["containers"]
}


def find_owner(container: str) -> str:
    """The service whose settings a deployment or a job has."""
    return container.partition("-")[0]


def resolve(container: dict[str, Any], settings: dict[str, str]) -> dict[str, str]:
    """The environment as the kubelet makes it: maps first, then single variables; optional keys may be missing."""
    maps = {each["metadata"]["name"]: each["data"] for each in OBJECTS if each["kind"] == "ConfigMap"}
    environment: dict[str, str] = {}
    for source in container.get("envFrom", []):
        environment |= maps[source["configMapRef"]["name"]]
    for variable in container.get("env", []):
        if "value" in variable:
            environment[variable["name"]] = variable["value"]
            continue
        [(kind, reference)] = variable["valueFrom"].items()
        is_secret = kind == "secretKeyRef"
        if reference["name"] == SETTINGS and reference["key"] in settings:
            assert VARIABLES[reference["key"]].secret is is_secret, reference["key"]
            environment[variable["name"]] = settings[reference["key"]]
        else:
            assert reference["optional"] is True
    return environment


@pytest.mark.parametrize("name", PASSED)
def test_a_setting_reaches_every_pod_that_reads_it(name: str) -> None:
    for container, spec in CONTAINERS.items():
        environment = resolve(spec, {name: "value"})
        assert (environment.get(name) == "value") is (find_owner(container) in VARIABLES[name].readers), (
            container
        )


def test_no_pod_gets_a_variable_that_it_does_not_read() -> None:
    everything = dict.fromkeys(PASSED, "value")
    for container, spec in CONTAINERS.items():
        given = resolve(spec, everything)
        names = {name if name in VARIABLES else name.removesuffix("_FILE") for name in given}
        assert {name for name in names if find_owner(container) not in VARIABLES[name].readers} == set(), (
            container
        )


def test_what_the_manifests_set_themselves_is_there() -> None:
    of_a_secret = {"PROXIMITY_ADMIN_USERNAME", "PROXIMITY_ADMIN_PASSWORD"}  # one that may be removed
    for process in PROCESSES:
        environment = resolve(CONTAINERS[process], {})
        of_servers = {"WEBSOCKET_LISTEN"} if process.endswith("-worker") else set()
        expected = FIXED - of_a_secret - of_servers
        for name in (each for each in expected if find_owner(process) in VARIABLES[each].readers):
            assert environment.get(name) or environment.get(f"{name}_FILE"), f"{process}: {name}"


def test_the_gateway_trusts_the_ingress_unless_the_settings_say_otherwise() -> None:
    gateway = CONTAINERS["gateway"]
    metrics = Endpoint("0.0.0.0", METRICS_PORT)
    assert read_environment(resolve(gateway, {})) == {"trusted_proxies": 1, "metrics": metrics}
    changed = {"TRUSTED_PROXIES": "2", "CORS_ALLOWED_ORIGINS": "https://a.example.org"}
    assert read_environment(resolve(gateway, changed)) == {
        "trusted_proxies": 2,
        "metrics": metrics,
        "cors_origins": ("https://a.example.org",),
    }


def test_the_files_of_the_example_list_every_setting(tmp_path: Path) -> None:
    write_settings(tmp_path)
    listed = set()
    for name in ("settings.env", "secrets.env"):
        text = (EXAMPLE / name).read_text("utf-8")
        assert text == (tmp_path / name).read_text("utf-8")
        listed |= {
            line[1:].partition("=")[0] for line in text.splitlines() if line.startswith("#") and "=" in line
        }
    assert set(PASSED) <= listed


def test_every_process_can_be_scraped() -> None:
    [policy] = [
        each["spec"]
        for each in OBJECTS
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "metrics"
    ]
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"port": METRICS_PORT, "protocol": "TCP"}]
    for process in (*PROCESSES, GATEWAY):
        assert resolve(CONTAINERS[process], {})["METRICS_LISTEN"] == f"0.0.0.0:{METRICS_PORT}"
        assert {"name": "metrics", "containerPort": METRICS_PORT} in CONTAINERS[process]["ports"]
    paths: dict[str, str] = {}
    for monitor in yaml.safe_load_all((COMPONENTS / "monitoring" / "podmonitor.yaml").read_text("utf-8")):
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] == "metrics"
        selected = monitor["spec"]["selector"]
        for each in OBJECTS:
            labels = each["spec"]["template"]["metadata"]["labels"] if each["kind"] == "Deployment" else {}
            excluded = [value for one in selected.get("matchExpressions", []) for value in one["values"]]
            is_matched = selected["matchLabels"].items() <= labels.items()
            if is_matched and labels["app.kubernetes.io/component"] not in excluded:
                assert paths.setdefault(each["metadata"]["name"], endpoint["path"]) == endpoint["path"]
    assert paths == dict.fromkeys(PROCESSES, "/metrics") | {GATEWAY: METRICS_PATH}


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy"])
def test_every_deployment_has_one(kind: str) -> None:
    deployed = {each["metadata"]["name"] for each in OBJECTS if each["kind"] == "Deployment"}
    assert deployed == {*PROCESSES, GATEWAY}
    assert deployed <= {each["metadata"]["name"] for each in OBJECTS if each["kind"] == kind}


def test_replicas_are_spread_over_the_nodes() -> None:
    for each in OBJECTS:
        if each["kind"] == "Deployment":
            [constraint] = each["spec"]["template"]["spec"]["topologySpreadConstraints"]
            assert constraint["topologyKey"] == "kubernetes.io/hostname"


def test_the_schema_accepts_the_components() -> None:
    for each in yaml.safe_load_all((COMPONENTS / "telemetry" / "networkpolicy.yaml").read_text("utf-8")):
        kubernetes_validate.validate(each, "1.31", strict=True)


@pytest.mark.parametrize("folder", [EXAMPLE, *sorted(COMPONENTS.iterdir())], ids=lambda folder: folder.name)
def test_kustomize_finds_what_a_folder_names(folder: Path) -> None:
    named = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    paths = [*named.get("resources", []), *named.get("components", [])]
    for generator in ("configMapGenerator", "secretGenerator"):
        paths += [file for each in named.get(generator, []) for file in each["envs"]]
    assert paths
    for path in paths:
        assert (folder / path).exists(), path


def test_the_example_renames_every_image() -> None:
    named = {
        each["name"] for each in yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text("utf-8"))["images"]
    }
    assert named == {container["image"].partition(":")[0] for container in CONTAINERS.values()}


def test_the_real_kubectl_renders_the_example(tmp_path: Path) -> None:
    program = shutil.which("kubectl")
    if not program:
        pytest.skip("kubectl is not installed; the other tests read the files themselves")
    folder = tmp_path / "kubernetes"
    shutil.copytree(BASE.parent, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "overlays" / "example" / "settings.env").write_text("QUOTA_APPS=7\n")
    (folder / "overlays" / "example" / "secrets.env").write_text("PROXMOX_PASSWORD=x\n")
    asked = [program, "kustomize", str(folder / "overlays" / "example")]
    rendered = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    if "unknown field" in rendered.stderr:
        pytest.skip(f"this kubectl is too old for components: {rendered.stderr.strip()[:200]}")
    assert rendered.returncode == 0, rendered.stderr
    objects = list(yaml.safe_load_all(rendered.stdout))
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert found["ConfigMap", SETTINGS]["data"] == {"QUOTA_APPS": "7"}
    assert set(found["Secret", SETTINGS]["data"]) == {"PROXMOX_PASSWORD"}
    assert {each["metadata"].get("namespace", "proximity") for each in objects} == {"proximity"}
    for each in objects:
        if each["kind"] != "PodMonitor":
            kubernetes_validate.validate(each, "1.31", strict=True)
