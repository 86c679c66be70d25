"""The inputs of imported apps: what is generated and in which form, what is asked for, what is said of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from services.catalog.domain.entities import Generate, Input
from services.catalog.domain.inputs import generate_value
from services.catalog.domain.sources import SourceFormat
from tests.unit.catalog.collection_samples import WEB, load, load_one, portainer, run

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
BYTES = base64.b64encode(bytes(range(32))).decode()


def import_service(environment: dict[str, str], *, more: str = "") -> tuple[dict[str, Input], dict[str, Any]]:
    """Return the inputs of an app with one service, and the environment that it gets."""
    lines = "".join(f"      {name}: '{value}'\n" for name, value in environment.items())
    text = f"services:\n  a:\n    image: acme/a:1\n    ports: ['80:80']\n    environment:\n{lines}{more}"
    item = load_one({"a/compose.yaml": text}, SourceFormat.COMPOSE)
    return {i.name: i for i in item.inputs}, run(item)["a"]["environment"]


@pytest.mark.parametrize(
    ("name", "value", "rule", "before"),
    [
        ("APP_KEY", f"base64:{BYTES}", Generate(32, "base64"), "base64:"),
        ("ENCRYPTION_KEY", BYTES, Generate(32, "base64"), ""),
        ("UTILS_SECRET", HEX, Generate(64, "hex"), ""),
        ("AES_KEY", "0123456789abcdef", Generate(16, "hex"), ""),
        ("CIPHER_KEY", "Abcdefgh12345678", Generate(16), ""),
        ("DB_PASSWORD", "changeme", Generate(32), ""),
        ("SECRET_KEY_BASE", "replace-me", Generate(64), ""),
    ],
)
def test_a_secret_is_generated_in_the_form_of_the_one_it_replaces(
    name: str, value: str, rule: Generate, before: str
) -> None:
    inputs, environment = import_service({name: value})
    assert inputs[name].generate == rule
    assert environment[name] == f"{before}${{{name}}}"
    assert len(generate_value(rule)) == (44 if rule.alphabet == "base64" else rule.length)


def test_a_command_in_the_description_says_how_a_secret_is_made() -> None:
    env = [
        {"name": "A_SECRET", "description": "Made by `openssl rand -hex 32`."},
        {"name": "B_SECRET", "description": "Run openssl rand -base64 24"},
    ]
    item = load_one(portainer({**WEB, "env": env}), SourceFormat.PORTAINER)
    assert {i.name: i.generate for i in item.inputs} == {
        "A_SECRET": Generate(64, "hex"),
        "B_SECRET": Generate(24, "base64"),
    }


def test_what_an_app_does_without_or_somebody_else_gives_out_is_not_made_up() -> None:
    env = [
        {"name": "CONNECTION_SECRET", "default": "", "description": "Optional path to a file with the token"},
        {"name": "WOWZA_KEY", "label": "License key"},
        {"name": "PLUGIN_KEY", "label": "Licence of the plugin"},
        {"name": "GUI_PASSWORD", "default": "", "description": "Optionally protects the page"},
    ]
    item = load_one(portainer({**WEB, "env": env}), SourceFormat.PORTAINER)
    assert {i.name for i in item.inputs if i.generate} == {"GUI_PASSWORD"}
    assert all(i.secret and not i.required for i in item.inputs)


def test_secrets_of_another_container_are_asked_for() -> None:
    env = [{"name": "DB_HOST", "type": "container"}, {"name": "DB_PASSWORD"}, {"name": "TITLE"}]
    item = load_one(portainer({**WEB, "env": env}), SourceFormat.PORTAINER)
    assert {i.name: (i.required, i.generate) for i in item.inputs} == {
        "DB_HOST": (True, None),
        "DB_PASSWORD": (True, None),
        "TITLE": (False, None),
    }


def test_portainers_own_marks_are_variables() -> None:
    stack = "services:\n  a:\n    image: acme/a:1\n    environment:\n      KEY_X: {{ LEVEL }}\n      NODE: '{{.Node.ID}}'\n"
    template = {"type": 3, "title": "Marks", "stackFile": stack, "env": [{"name": "LEVEL", "default": "3"}]}
    item = load_one(portainer(template), SourceFormat.PORTAINER)
    assert run(item)["a"]["environment"] == {"KEY_X": "${LEVEL}", "NODE": "{{.Node.ID}}"}
    assert [(i.name, i.default) for i in item.inputs] == [("LEVEL", "3")]


def runtipi(config: dict[str, Any], **environment: str) -> dict[str, str]:
    service = {
        "name": "a",
        "image": "acme/a:1",
        "isMain": True,
        "internalPort": 3000,
        "environment": environment,
    }
    return {
        "apps/a/config.json": json.dumps({"id": "a", "name": "A", "port": 8100, **config}),
        "apps/a/docker-compose.json": json.dumps({"services": [service]}),
    }


def test_a_required_secret_is_made_where_its_label_says_how_and_others_are_asked_for() -> None:
    fields: list[dict[str, Any]] = [
        {"type": "password", "env_variable": "AUTH_SECRET", "required": True, "label": "Make it: `openssl rand -base64 32`"},
        {"type": "password", "env_variable": "ZOOM_CLIENT_SECRET", "label": "Zoom"},
        {"type": "password", "env_variable": "EMAIL_SERVER_PASSWORD", "required": True, "label": "Mail"},
    ]  # fmt: skip
    names = {str(f["env_variable"]): f"${{{f['env_variable']}}}" for f in fields}
    item = load_one(runtipi({"form_fields": fields}, **names), SourceFormat.RUNTIPI)
    assert {i.name: (i.generate, i.required) for i in item.inputs} == {
        "AUTH_SECRET": (Generate(32, "base64"), False),
        "ZOOM_CLIENT_SECRET": (None, False),
        "EMAIL_SERVER_PASSWORD": (None, True),
    }


def test_where_a_secret_goes_says_its_form_where_nothing_else_does() -> None:
    item = load_one(
        runtipi({}, APP_KEY="base64:${APP_KEY}", SECRET_KEY_BASE="${COOKIE_SECRET}"), SourceFormat.RUNTIPI
    )
    assert {i.name: i.generate for i in item.inputs} == {
        "APP_KEY": Generate(32, "base64"),
        "COOKIE_SECRET": Generate(64),
    }


def test_what_umbrel_encodes_in_base64_is_generated_so() -> None:
    compose = (
        "services:\n  web:\n    image: acme/a:1\n    environment: {VAULT: $APP_X_KEY, OTHER: $APP_Y_KEY}\n"
    )
    script = """
export APP_X_KEY=$(derive_entropy "env-${app}-x" | head -c 32 | base64)
export APP_Y_KEY=$(derive_entropy "env-${app}-y" | head -c32)
"""
    manifest = "id: x\nname: X\nport: 8000\n"
    files = {"x/umbrel-app.yml": manifest, "x/docker-compose.yml": compose, "x/exports.sh": script}
    item = load_one(files, SourceFormat.UMBREL)
    assert {i.name: i.generate for i in item.inputs} == {
        "APP_X_KEY": Generate(32, "base64"),
        "APP_Y_KEY": Generate(32, "hex"),
    }


def test_an_app_without_a_page_is_probed_by_a_connection() -> None:
    item = load_one(runtipi({"no_gui": True}), SourceFormat.RUNTIPI)
    assert item.main_port is not None
    assert (item.main_port.container, item.main_port.purpose, item.probe.kind) == (3000, "other", "tcp")


CASAOS = """
name: wiki
services:
  wiki:
    image: acme/wiki:1
    ports: [{target: 80, published: "8080"}]
    environment: {MAIL_HOST: $MAIL_HOST, DB_PASSWORD: casaos-secret, SIZE: 5}
    x-casaos:
      envs:
        - {container: MAIL_HOST, description: {zh_cn: 邮件, en_us: Server that sends mail}}
        - {container: DB_PASSWORD, description: {de_de: Passwort}}
        - {container: SIZE}
x-casaos: {main: wiki, title: {en_us: Wiki}, port_map: "8080", category: Docs}
"""


def test_casaos_descriptions_of_variables_are_the_help_of_inputs() -> None:
    item = load_one({"Apps/Wiki/docker-compose.yml": CASAOS}, SourceFormat.CASAOS)
    assert {i.name: i.help for i in item.inputs} == {
        "MAIL_HOST": "Server that sends mail",
        "DB_PASSWORD": "Passwort",
    }


@pytest.mark.parametrize(
    ("ports", "main", "kind", "scheme"),
    [
        (["26257/tcp", "8080/tcp"], 8080, "http", "http"),
        (["1433/tcp"], 1433, "tcp", "http"),
        (["8443/tcp"], 8443, "http", "https"),
        (["80/tcp", "443/tcp"], 80, "http", "http"),
    ],
)
def test_the_main_port_is_one_that_answers_the_probe(
    ports: list[str], main: int, kind: str, scheme: str
) -> None:
    item = load_one(portainer({**WEB, "ports": ports}), SourceFormat.PORTAINER)
    assert item.main_port is not None
    assert (item.main_port.container, item.probe.kind, item.probe.scheme) == (main, kind, scheme)


def test_a_service_that_gets_a_file_can_be_written_to_as_compose_copies_it() -> None:
    text = "services:\n  a: {image: a/b:1, ports: ['80:80'], read_only: true, configs: [c]}\n  b: {image: a/c:1, read_only: true}\n"
    (entry,) = load({"a/compose.yaml": f"{text}configs: {{c: {{content: x}}}}\n"}, SourceFormat.COMPOSE).items
    services = run(entry.item)
    assert "read_only" not in services["a"]
    assert services["b"]["read_only"] is True
