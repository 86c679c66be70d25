"""Umbrel's app stores: the port of the proxy, dependencies, and scripts that are read but never executed."""

from __future__ import annotations

from services.catalog.domain.sources import SourceFormat
from tests.unit.catalog.collection_samples import WEB, Files, load, load_one, portainer, run  # noqa: F401 - fixtures

UMBREL_APP = """
manifestVersion: 1
id: ledger
name: Ledger
version: "2.0"
category: finance
tagline: Books
description: Keeps books.
developer: L
website: https://ledger.example
port: 4567
path: /login
defaultUsername: admin
deterministicPassword: true
"""
UMBREL_COMPOSE = f"""
version: "3.7"
services:
  app_proxy:
    environment: {{APP_HOST: ledger_web_1, APP_PORT: 3000}}
  web:
    image: acme/ledger:2.0@sha256:{"a" * 64}
    environment: {{PASSWORD: $APP_PASSWORD, DB: "http://ledger_db_1:1234", SEED: "${{APP_SEED}}"}}
    volumes: ["${{APP_DATA_DIR}}/data:/data"]
    networks: {{default: {{ipv4_address: 10.21.21.5}}}}
  db:
    image: acme/db:1@sha256:{"b" * 64}
    volumes: ["${{APP_DATA_DIR}}/db:/db"]
"""


def test_an_umbrel_app_publishes_what_its_proxy_opened() -> None:
    item = load_one(
        {"ledger/umbrel-app.yml": UMBREL_APP, "ledger/docker-compose.yml": UMBREL_COMPOSE},
        SourceFormat.UMBREL,
    )
    services = run(item)
    assert services.keys() == {"web", "db"}
    assert services["web"]["ports"] == [{"target": 3000, "published": "30000", "protocol": "tcp"}]
    assert services["web"]["environment"]["DB"] == "http://db:1234"
    assert item.probe.path == "/login"
    assert item.credentials is not None
    assert item.credentials.password == "${APP_PASSWORD}"
    assert {i.name for i in item.inputs} == {"APP_PASSWORD", "APP_SEED"}
    assert all("@sha256:" in image for image in item.images)


def test_an_umbrel_app_that_needs_others_is_rejected() -> None:
    files = {
        "x/umbrel-app.yml": UMBREL_APP + "dependencies: [bitcoin]\n",
        "x/docker-compose.yml": UMBREL_COMPOSE,
    }
    (rejection,) = load(files, SourceFormat.UMBREL).rejections
    assert rejection.error == "works only beside other apps: bitcoin"


def umbrel(script: str = "") -> dict[str, str]:
    manifest = "id: forge\nname: Forge\ncategory: developer\nversion: '1.0'\ntagline: t\ndescription: d\nport: 8085\n"
    compose = (
        "services:\n  app_proxy: {environment: {APP_HOST: forge_server_1, APP_PORT: 8085}}\n"
        "  server:\n    image: acme/forge:1.0\n    ports: ['${APP_FORGE_SSH_PORT}:${APP_FORGE_SSH_PORT}']\n"
        "    environment: {SSH_PORT: '${APP_FORGE_SSH_PORT}'}\n"
    )
    files = {"forge/umbrel-app.yml": manifest, "forge/docker-compose.yml": compose}
    return files | ({"forge/exports.sh": script} if script else {})


def test_an_umbrel_app_takes_the_plain_values_of_its_script_which_is_never_run() -> None:
    script = 'export APP_FORGE_SSH_PORT="8086" # ssh\nexport APP_X=$(touch /tmp/x)\nexport APP_Y=`id`\n'
    item = load_one(umbrel(script), SourceFormat.UMBREL)
    assert {(port.container, port.published) for port in item.ports} == {(8085, 8085), (8086, 8086)}
    (service,) = run(item).values()
    assert service["environment"]["SSH_PORT"] == "8086"


def test_a_port_that_nothing_sets_is_the_reason_given() -> None:
    imported = load(umbrel(), SourceFormat.UMBREL)
    assert [r.error for r in imported.rejections] == [
        "a port is given by APP_FORGE_SSH_PORT, which nothing sets"
    ]
