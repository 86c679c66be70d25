"""deploy/compose.yaml: valid, and what it says really starts."""

from __future__ import annotations

import random
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml
from compose_spec import PyCompose
from sqlalchemy import make_url

from deploy.configuration import list_names
from deploy.secrets import make_secrets
from services.common.process.health import is_serving
from services.registry import PROCESSES
from tests.contract.deploy.compose import DEVELOPMENT, ROOT, Process, Translator, list_processes, read_compose

_READY_S = 150.0  # a limit for loaded machines; an idle one takes 20


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read_compose({})


def test_the_file_is_valid_by_the_compose_specification(document: dict[str, Any]) -> None:
    PyCompose.from_yaml(yaml.safe_dump(document)).validate()


def test_every_process_is_restrained(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert "security_opt" in service, name


def test_each_service_has_its_own_private_key_alone(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        keys = {each for each in map(_source_of, service.get("secrets", [])) if each.endswith(".key")}
        owner = name.partition("-")[0]
        own = {f"{owner}.key", f"tls_{owner}.key"}
        assert keys == (set() if name in {"postgres", "nats", "pvesim", "prometheus"} else own), name


def test_only_the_gateway_can_be_reached_from_outside(document: dict[str, Any]) -> None:
    published = {
        name: service["ports"] for name, service in document["services"].items() if "ports" in service
    }
    assert all(port.startswith("127.0.0.1:") for port in published.pop("prometheus"))
    assert list(published) == ["gateway"]


def test_the_file_for_development_is_valid_and_changes_only_what_is_there(document: dict[str, Any]) -> None:
    changed = read_compose({}, DEVELOPMENT)
    both = document | {"services": _merge(document["services"], changed["services"])}
    PyCompose.from_yaml(yaml.safe_dump(both)).validate()
    assert set(changed["services"]) == {
        each for each in document["services"] if not each.endswith("-migrate") and each != "prometheus"
    }
    for name, service in changed["services"].items():
        assert set(service) <= {"environment", "restart", "networks", "ports", "develop"}, name
        assert set(service.get("environment", {})) <= list_names(), name
        assert set(service.get("networks", [])) <= set(document["networks"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def _merge(services: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Services with what a second file says of them; what it may say, Compose takes instead or as well."""
    return {name: service | changed.get(name, {}) for name, service in services.items()}


def test_in_development_an_image_is_built_anew_when_what_it_holds_changes() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    for name, service in read_compose({}, DEVELOPMENT)["services"].items():
        for watched in service.get("develop", {}).get("watch", []):
            path = (DEVELOPMENT.parent / watched["path"]).resolve()
            assert path.exists(), watched
            owner = name.removesuffix("-worker")
            held = str(path.relative_to(ROOT)).replace(f"services/{owner}", "services/${SERVICE}")
            assert f"COPY {held} " in dockerfile, f"{name}: {held}"


def _source_of(secret: str | dict[str, str]) -> str:
    return secret if isinstance(secret, str) else secret["source"]


class Composition:
    """The processes of the file, started in the order that it demands."""

    def __init__(self, processes: list[Process], logs: Path) -> None:
        self.processes = {each.name: each for each in processes}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = logs

    def start(self, is_healthy: Callable[[Process], bool]) -> None:
        waiting = dict(self.processes)
        healthy: set[str] = set()
        deadline = time.monotonic() + _READY_S
        while waiting:
            assert time.monotonic() < deadline, f"still waiting: {sorted(waiting)}\n{self.read_logs()}"
            for name in [each for each, process in waiting.items() if self._may_start(process, healthy)]:
                self._launch(waiting.pop(name))
            healthy |= {
                name
                for name, handle in self.running.items()
                if name not in healthy and handle.poll() is None and is_healthy(self.processes[name])
            }
            time.sleep(0.2)

    def _may_start(self, process: Process, healthy: set[str]) -> bool:
        return all(
            self._has_completed(need) if how == "service_completed_successfully" else need in healthy
            for need, how in process.needs.items()
        )

    def _has_completed(self, name: str) -> bool:
        handle = self.running.get(name)
        if handle is None or handle.poll() is None:
            return False
        assert handle.returncode == 0, f"{name} failed\n{self.read_logs()}"
        return True

    def _launch(self, process: Process) -> None:
        with (self._logs / f"{process.name}.log").open("wb") as log:
            self.running[process.name] = subprocess.Popen(
                process.arguments, env=process.environment, stdout=log, stderr=log, cwd=self._logs
            )

    def read_logs(self) -> str:
        return "\n".join(
            f"== {file.name}\n{file.read_text()[-1500:]}" for file in sorted(self._logs.iterdir())
        )

    def stop(self) -> None:
        for handle in self.running.values():
            handle.terminate()
        for handle in self.running.values():
            try:
                handle.wait(15)
            except subprocess.TimeoutExpired:
                handle.kill()
                handle.wait(5)


@pytest.fixture
def composition(
    document: dict[str, Any], server: str, tmp_path: Path
) -> Iterator[tuple[Composition, Translator]]:
    translator = Translator(list(document["services"]), tmp_path, third=random.randrange(1, 255))
    _lay_out(document, translator, tmp_path, server)
    logs = tmp_path / "logs"
    logs.mkdir()
    composition = Composition(list_processes(document, translator), logs)
    yield composition, translator
    composition.stop()


def _lay_out(document: dict[str, Any], translator: Translator, root: Path, server: str) -> None:
    """Put the secrets and the configuration files where the containers would have them."""
    mounted, configs = root / "run" / "secrets", root / "etc" / "nats"
    made = root / "made"
    make_secrets(made)
    tls = root / "run" / "tls"
    for folder in (mounted, configs, tls, translator.temporary):
        folder.mkdir(parents=True)
    for name, secret in document["secrets"].items():
        file = made / Path(secret["file"]).relative_to("secrets")
        shutil.copy(file, tls / file.name if name.startswith("tls_") else mounted / name)
    urls = [f"nats_url_{process}" for process in PROCESSES]
    for name in ("database_url", *urls):
        (mounted / name).chmod(0o600)
    (mounted / "database_url").write_text(_make_database(server))
    for name in urls:
        url = (mounted / name).read_text()
        (mounted / name).write_text(url.replace("@nats:", f"@{translator.address_of('nats')}:"))
    text = (ROOT / "deploy" / document["configs"]["nats"]["file"]).read_text()
    (configs / "nats.conf").write_text(translator.translate(text, inside="nats"))


def _make_database(server: str) -> str:
    name = f"compose_{random.randrange(10**9)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = make_url(server).set(
        database=name, password=secrets.token_urlsafe(16)
    )  # the server trusts this machine
    return url.render_as_string(hide_password=False)


@pytest.mark.timeout(900)
def test_what_the_file_says_starts_and_answers(
    composition: tuple[Composition, Translator], tmp_path: Path
) -> None:
    running, translator = composition

    running.start(lambda process: _is_healthy(process, translator))
    api = f"http://{translator.address_of('gateway')}:8000/api"
    deadline = time.monotonic() + _READY_S
    while (health := _get_health(api)).get("status") != "healthy":
        assert time.monotonic() < deadline, f"{health}\n{running.read_logs()}"
        time.sleep(0.2)
    password = (tmp_path / "run" / "secrets" / "admin_password").read_text()
    answer = requests.post(f"{api}/auth/login", json={"username": "admin", "password": password}, timeout=10)
    assert answer.status_code == 200, answer.text
    for name in ("apps-worker", "backups-worker", "catalog-worker"):
        while not _passes_health_check(running.processes[name]):
            assert time.monotonic() < deadline, f"{name}\n{running.read_logs()}"


def _passes_health_check(process: Process) -> bool:
    """What HEALTHCHECK of the image runs."""
    check = (sys.executable, "-m", "services.common.process.health")
    return subprocess.run(check, env=process.environment, timeout=60).returncode == 0


def _is_healthy(process: Process, translator: Translator) -> bool:
    """As the health check of the image or of the file finds it; a migration has none."""
    address = translator.address_of(process.name)
    if process.name.endswith("-migrate"):
        return False
    if process.name == "gateway":
        check = (sys.executable, "-m", "gateway", "health")  # HEALTHCHECK of its image
        return subprocess.run(check, env=process.environment, timeout=60).returncode == 0
    if process.name == "nats":
        try:
            return requests.get(process.health, timeout=2).ok
        except requests.RequestException:
            return False
    return is_serving(f"{address}:50052")


def _get_health(api: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = requests.get(f"{api}/health", timeout=5).json()
    except (requests.RequestException, ValueError) as error:
        return {"error": str(error)}
    return found
