"""Collections made for other systems: samples of each format, written for these tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat
from tests.unit.catalog.collection_samples import WEB, Files, load, load_one, portainer, run  # noqa: F401 - fixtures


def test_a_portainer_container_becomes_one_service_with_volumes_and_inputs() -> None:
    item = load_one(portainer(WEB), SourceFormat.PORTAINER)
    assert (item.id, item.name, item.source, item.category) == (
        "acme.web-thing",
        "Web Thing",
        "acme",
        "Web and publishing",
    )
    assert item.runtimes == ("compose", "oci")
    assert item.main_port is not None
    assert (item.main_port.container, item.main_port.published) == (80, 8080)
    inputs = {i.name: i for i in item.inputs}
    assert inputs["MODE"].default == "fast"
    assert inputs["ADMIN_PASSWORD"].generate is not None
    assert inputs["ADMIN_PASSWORD"].default is None
    (service,) = run(item).values()
    assert service["environment"]["ADMIN_PASSWORD"] == "${ADMIN_PASSWORD}"
    assert service["environment"]["TITLE"] == "${TITLE}"
    assert inputs["TITLE"].default == "Hello"
    assert all(not mount.startswith("/") for mount in service["volumes"])


def test_portainer_version_two_and_stacks_inline_or_beside_are_read() -> None:
    stack = "services:\n  app:\n    image: acme/stack:2\n    ports: ['81:81']\n"
    inline = {"type": 3, "title": "Inline", "stackFile": stack}
    beside = {
        "type": 3,
        "title": "Beside",
        "repository": {"url": "https://example.com/acme/stacks.git", "stackfile": "a/stack.yml"},
    }
    missing = {
        "type": 3,
        "title": "Missing",
        "repository": {"url": "https://example.com/o/r", "stackfile": "x.yml"},
    }
    files = {**portainer(WEB, inline, beside, missing, version="2"), "acme/stacks/a/stack.yml": stack}
    imported = load(files, SourceFormat.PORTAINER)
    assert {entry.item.id for entry in imported.items} == {"acme.web-thing", "acme.inline", "acme.beside"}
    (rejection,) = imported.rejections
    assert "x.yml of https://example.com/o/r is not part of the collection" in rejection.error


def test_portainer_names_that_occur_twice_are_kept_apart() -> None:
    imported = load(portainer(WEB, WEB), SourceFormat.PORTAINER)
    assert {entry.item.id for entry in imported.items} == {"acme.web-thing", "acme.web-thing-2"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": 2}, "swarm"), ({"type": 4}, "edge"), ({"type": 9}, "unknown type"), ({"platform": "windows"}, "windows"),
        ({"privileged": True}, "privileged"), ({"image": ""}, "image"),
        ({"volumes": [{"container": "/x", "bind": "/etc"}]}, "mounts /etc"), ({"ports": ["no"]}, "not a port"),
        ({"volumes": [{"container": "/s", "bind": "/var/run/docker.sock"}]}, "Docker socket"),
        ({"volumes": [{"container": "/x", "bind": "/srv/../etc"}]}, "mounts"), ({"volumes": [{"container": "x"}]}, "no path"),
    ],
)  # fmt: skip
def test_what_is_not_for_a_container_of_its_own_is_rejected_with_the_reason(
    change: dict[str, Any], reason: str
) -> None:
    imported = load(portainer({**WEB, **change}, {**WEB, "title": "Good"}), SourceFormat.PORTAINER)
    assert [entry.item.id for entry in imported.items] == ["acme.good"]
    (rejection,) = imported.rejections
    assert reason in rejection.error


CASAOS = """
name: photo
services:
  photo:
    image: acme/photo:1.2.3
    container_name: photo
    network_mode: bridge
    deploy: {resources: {reservations: {memory: 512M}}}
    environment: {TZ: $TZ, PUID: $PUID, DB_PASS: s3cr3tvalue, DB_URL: "postgres://u:s3cr3tvalue@db/x"}
    ports:
      - {target: 80, published: "8097", protocol: tcp}
      - {target: 1900, published: "1901", protocol: udp}
    volumes:
      - {type: bind, source: /DATA/AppData/$AppID/config, target: /config}
      - {type: bind, source: /DATA/Media, target: /media}
      - /etc/localtime:/etc/localtime:ro
    depends_on: [db]
    devices: ["/dev/dri:/dev/dri"]
    x-casaos: {envs: []}
  db:
    image: postgres:16
    environment: [POSTGRES_PASSWORD=s3cr3tvalue]
    command: ["postgres", "--check", "x-s3cr3tvalue"]
    healthcheck: {test: "login -ps3cr3tvalue", interval: 5s}
    volumes: ["/DATA/AppData/$AppID/db:/var/lib/postgresql/data"]
x-casaos:
  main: photo
  port_map: "8097"
  architectures: [amd64, arm64]
  category: Photos
  developer: ACME
  title: {en_us: Photo Box, de_de: Foto}
  description: {en_us: Keeps photos.}
  index: /start
"""


def test_a_casaos_app_loses_its_host_and_its_hard_coded_secret() -> None:
    item = load_one({"Apps/Photo/docker-compose.yml": CASAOS}, SourceFormat.CASAOS)
    assert (item.id, item.name, item.category, item.author) == ("acme.photo", "Photo Box", "Photos", "ACME")
    assert item.main_port is not None
    assert (item.main_port.container, item.probe.path) == (80, "/start")
    assert item.resources.memory.minimum == 512
    services = run(item)
    assert "s3cr3tvalue" not in str(services)
    assert services["photo"]["environment"]["DB_URL"] == "postgres://u:${DB_PASS}@db/x"
    assert services["db"]["environment"]["POSTGRES_PASSWORD"] == "${DB_PASS}"
    assert services["db"]["healthcheck"]["test"] == "login -p${DB_PASS}"
    assert services["db"]["command"][2] == "x-${DB_PASS}"
    assert services["photo"]["environment"]["PUID"] == "1000"
    assert not {"network_mode", "devices", "container_name", "deploy"} & services["photo"].keys()
    assert [mount.split(":")[1] for mount in services["photo"]["volumes"]] == ["/config", "/media"]
    assert any("/DATA/Media" in note for note in item.notes)
    media = next(volume for volume in item.volumes if volume.path == "/media")
    assert not media.backup


RUNTIPI_CONFIG = {
    "id": "notes", "name": "Notes", "version": "3.1", "tipi_version": 7, "port": 8123, "categories": ["utilities"],
    "short_desc": "Notes", "author": "A", "source": "https://example.com/n", "supported_architectures": ["arm64", "amd64"],
    "form_fields": [
        {"type": "random", "label": "Key", "min": 40, "env_variable": "NOTES_KEY"},
        {"type": "email", "label": "Mail", "required": True, "env_variable": "NOTES_MAIL"},
        {"type": "text", "label": "Kind", "env_variable": "NOTES_KIND", "default": "a", "options": [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]},
        {"type": "fqdn", "label": "Unused", "env_variable": "NOT_USED"},
    ],
}  # fmt: skip
RUNTIPI_YAML = """
services:
  notes:
    image: acme/notes:3.1
    ports: ["${APP_PORT}:3000"]
    environment: {KEY: "${NOTES_KEY}", MAIL: "${NOTES_MAIL}", KIND: "${NOTES_KIND}", URL: "${APP_PROTOCOL:-http}://${APP_DOMAIN}"}
    volumes: ["${APP_DATA_DIR}/data/notes:/data", "${ROOT_FOLDER_HOST}/media:/media"]
    networks: [tipi_main_network]
    labels: {traefik.enable: true}
networks:
  tipi_main_network: {external: true}
"""
RUNTIPI_JSON = {
    "services": [
        {"name": "notes", "image": "acme/notes:3.1", "isMain": True, "internalPort": 3000,
         "healthCheck": {"test": "curl -f localhost", "startPeriod": "5s"},
         "environment": [{"key": "KEY", "value": "${NOTES_KEY}"}, {"key": "MAIL", "value": "${NOTES_MAIL}"}, {"key": "KIND", "value": "${NOTES_KIND}"}],
         "volumes": [{"hostPath": "${APP_DATA_DIR}/data/notes", "containerPath": "/data"}]}
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    "definition",
    [{"docker-compose.yml": RUNTIPI_YAML}, {"docker-compose.json": json.dumps(RUNTIPI_JSON)}],
    ids=["yaml", "json"],
)
def test_a_runtipi_app_asks_for_its_form_fields(definition: dict[str, str]) -> None:
    files = {"apps/notes/config.json": json.dumps(RUNTIPI_CONFIG)}
    item = load_one({**files, **{f"apps/notes/{k}": v for k, v in definition.items()}}, SourceFormat.RUNTIPI)
    assert (item.id, item.version, set(item.architectures)) == ("acme.notes", "3.1", {"amd64", "arm64"})
    inputs = {i.name: i for i in item.inputs}
    assert inputs.keys() >= {"NOTES_KEY", "NOTES_MAIL", "NOTES_KIND"}
    assert "NOT_USED" not in inputs
    assert inputs["NOTES_KEY"].generate is not None
    assert inputs["NOTES_KEY"].generate.length == 40
    assert inputs["NOTES_MAIL"].required
    assert [c.value for c in inputs["NOTES_KIND"].choices] == ["a", "b"]
    rendered = render_item(item, RenderRequest(environment={"NOTES_MAIL": "a@b.example"}, public_port=30_001))
    assert '"30001"' in rendered.compose_yaml
    assert rendered.main_port is not None
    assert rendered.main_port.container == 3000


def test_plain_compose_files_say_the_rest_with_labels() -> None:
    text = """
services:
  shop:
    image: acme/shop:1
    ports: ["8000:80", "22:22"]
    labels: [proximity.name=My Shop, proximity.category=Finance, proximity.port=80, "proximity.tags=a, b"]
    environment: {LEVEL: "${LEVEL:-3}", API_TOKEN: "${API_TOKEN}"}
    volumes: ["./data:/data"]
"""
    imported = load(
        {"shop/compose.yaml": text, "other.yml": text.replace("My Shop", "Other")}, SourceFormat.COMPOSE
    )
    assert imported.rejections == ()
    assert {entry.item.id for entry in imported.items} == {"acme.shop", "acme.other"}
    item = next(entry.item for entry in imported.items if entry.item.id == "acme.shop")
    assert (item.name, item.category, item.tags) == ("My Shop", "Finance", ("a", "b"))
    (service,) = run(item).values()
    assert service["environment"]["LEVEL"] == "3"
    assert service["environment"]["API_TOKEN"] == "${API_TOKEN}"


@pytest.mark.parametrize("kind", list(SourceFormat))
def test_nonsense_never_crashes_an_import(kind: SourceFormat) -> None:
    nonsense: list[str] = [
        "", "null", "[]", "{}", "1", '"x"', "[" * 3000, '{"templates": [1, null, {"type": 1}, {"type": 3, "stackFile": 5}]}',
        '{"id": 5, "form_fields": [7]}', "services: []", "services: {a: 1}", "services: {a: {image: [x]}}",
        "services: {a: {image: x, ports: {a: b}, volumes: 5, environment: 7}}", "x-casaos: {main: [1]}\nservices: {a: {}}",
        '{"templates": [{"type": 1, "title": {"a": []}, "image": 7, "env": [{"name": []}], "volumes": "x", "ports": 9}]}',
        '{"templates": [{"type": 1, "title": "\\ud800", "image": "a/b:1", "description": "\\ud800"}]}',
    ]  # fmt: skip
    names = [
        "templates.json",
        "a/config.json",
        "a/docker-compose.yml",
        "a/umbrel-app.yml",
        "docker-compose.json",
        "b.yml",
    ]
    for text in nonsense:
        imported = load(dict.fromkeys(names, text), kind)
        assert all(rejection.error for rejection in imported.rejections)
        for entry in imported.items:
            json.dumps(entry.document).encode()


def test_a_secret_that_is_also_a_word_is_replaced_where_it_is_a_secret_only() -> None:
    text = """
services:
  db:
    image: postgres:16
    environment: {POSTGRES_USER: postgres, POSTGRES_PASSWORD: postgres, URL: "pg://postgres:postgres@db/postgres"}
    command: [postgres, -c, max_connections=50]
    ports: ["5432:5432"]
"""
    (service,) = run(load_one({"db/compose.yml": text}, SourceFormat.COMPOSE)).values()
    assert service["environment"] == {
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": "${POSTGRES_PASSWORD}",
        "URL": "pg://postgres:${POSTGRES_PASSWORD}@db/postgres",
    }
    assert service["command"][0] == "postgres"
