"""What collections write that Compose or TOML alone would not take is read as their own systems read it."""

from __future__ import annotations

import json

import pytest

from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.domain.sources import SourceFormat


def load(files: dict[str, str], kind: SourceFormat = SourceFormat.COMPOSE) -> LoadedItem:
    imported = import_collection(
        {path: text.encode() for path, text in files.items()}, source="acme", kind=kind
    )
    assert not imported.rejections
    return imported.items[0]


def load_dokploy(template: str, compose: str) -> LoadedItem:
    files = {"template.toml": template, "docker-compose.yml": compose, "meta.json": json.dumps({"id": "app"})}
    return load({f"blueprints/app/{path}": text for path, text in files.items()}, SourceFormat.DOKPLOY)


APP = "services: {app: {image: 'a/b:1', ports: ['80:80'], environment: ['A=${A}']}}"


@pytest.mark.parametrize(
    ("helper", "length", "alphabet"),
    [
        ("${jwt:32}", 64, "hex"),
        ("${jwt}", 64, "hex"),
        ("${jwt:secret}", 64, "hex"),
        ("${hash:16}", 16, "hex"),
    ],
)
def test_a_token_that_dokploy_makes_up_is_a_generated_secret(helper: str, length: int, alphabet: str) -> None:
    item = load_dokploy(f'[variables]\na = "{helper}"\n[config]\nenv = ["A=${{a}}"]\n', APP).item
    rules = [one.generate for one in item.inputs if one.generate]
    assert [(rule.length, rule.alphabet) for rule in rules] == [(length, alphabet)]


def test_a_variable_of_dokploy_with_the_name_of_a_helper_is_that_helper() -> None:
    template = '[variables]\nusername = "${username}"\npassword = "${password:20}"\n[config]\nenv = ["A=${username}:${password}"]\n'
    entry = load_dokploy(template, APP)
    assert entry.document["compose"]["services"]["app"]["environment"]["A"] == "admin:${PASSWORD}"


@pytest.mark.parametrize(
    "template",
    [
        '[config]\nmounts = []\n[[config.mounts]]\nfilePath = "x.conf"\ncontent = """a\\{b\\\\c"""\n',
        '[config]\nmounts = [] # none\n\n[[config.mounts]]\nfilePath = "x.conf"\ncontent = "a\\\\{b\\\\c"\n',
    ],
)
def test_dokploys_dialect_of_toml_is_read(template: str) -> None:
    entry = load_dokploy(
        template, "services: {app: {image: 'a/b:1', ports: ['80:80'], volumes: ['../files/x.conf:/x.conf']}}"
    )
    assert [one["content"] for one in entry.document["compose"]["configs"].values()] == ["a\\{b\\c"]


def test_a_default_that_a_variable_of_dokploy_names_counts() -> None:
    template = '[variables]\nport = "${PORT:-50000}"\n[config.env]\nPORT = "${port}"\n'
    entry = load_dokploy(
        template, "services: {app: {image: 'a/b:1', ports: ['${PORT:-6000}:5000', '80:80']}}"
    )
    assert {port.published for port in entry.item.ports} == {50000, 80}


def test_lists_that_coolify_merges_become_what_they_are_in_its_parser() -> None:
    text = (
        "x-env: &env\n  - A=1\n  - B\nservices:\n  app:\n    image: a/b:1\n    environment:\n      <<: *env\n      C: 2\n"
        "    volumes: &mounts\n      - data:/data\n  job:\n    image: a/b:1\n    volumes:\n      <<: *mounts\n"
    )
    services = load({"templates/compose/app.yaml": text}, SourceFormat.COOLIFY).document["compose"][
        "services"
    ]
    assert services["app"]["environment"] == {"A": "1", "B": None, "C": 2}
    assert services["job"]["volumes"] == ["data:/data"]


def test_variables_of_other_programs_in_a_file_of_coolify_stay() -> None:
    text = (
        "services:\n  app:\n    image: a/b:1\n    volumes:\n      - type: bind\n        source: ./a\n        target: /a\n"
        "        content: 'x: ${env:NAME} $${env:B} ${SERVICE_HEX_32_KEY}'\n"
    )
    configs = load({"templates/compose/app.yaml": text}, SourceFormat.COOLIFY).document["compose"]["configs"]
    assert [one["content"] for one in configs.values()] == ["x: $${env:NAME} $${env:B} ${SERVICE_HEX_32_KEY}"]


def test_volumes_of_another_service_are_mounted_as_there() -> None:
    text = (
        "services:\n  web: {image: 'a/b:1', ports: ['80:80'], volumes: ['html:/html', './c:/c:ro']}\n"
        "  job: {image: 'a/b:1', volumes: ['own:/own'], volumes_from: [web]}\n"
        "  proxy: {image: 'a/p:1', volumes_from: ['job:ro']}\n"
    )
    services = load({"app/compose.yaml": text}).document["compose"]["services"]
    assert services["job"]["volumes"] == ["own:/own", "html:/html", "c:/c:ro"]
    assert services["proxy"]["volumes"] == ["own:/own:ro", "html:/html:ro", "c:/c:ro"]
    assert not any("volumes_from" in service for service in services.values())


def test_volumes_of_another_container_stay_a_reason() -> None:
    for source in ("container:other", "app"):
        files = {
            "app/compose.yaml": f"services: {{app: {{image: 'a/b:1', volumes_from: ['{source}']}}}}".encode()
        }
        imported = import_collection(files, source="acme", kind=SourceFormat.COMPOSE)
        assert "volumes_from" in imported.rejections[0].error


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("/etc/resolv.conf:/etc/resolv.conf:ro", "/etc/resolv.conf is that of the app's own container"),
        ("/dev/urandom:/dev/random:ro", "/dev/random is that of the app's own container"),
        ("/lib/modules:/lib/modules:ro", "the node must have loaded"),
    ],
)
def test_what_every_container_has_is_not_mounted_from_the_host(source: str, note: str) -> None:
    item = load(
        {
            "app/compose.yaml": f"services: {{app: {{image: 'a/b:1', ports: ['80:80'], volumes: ['{source}']}}}}"
        }
    ).item
    assert not item.volumes
    assert any(note in text for text in item.notes)


def test_a_note_about_replicas_has_no_raw_variable() -> None:
    text = (
        "services: {app: {image: 'a/b:1', ports: ['80:80'], deploy: {replicas: '${N8N_WORKER_REPLICAS:-3}'}}}"
    )
    assert any("runs 3 times" in note for note in load({"app/compose.yaml": text}).item.notes)


def test_logos_of_coolify_and_dokploy_are_files_of_the_source_where_it_has_them() -> None:
    text = "# logo: svgs/app.svg\nservices:\n  app: {image: 'a/b:1', ports: ['80:80']}\n"
    path, logo = "templates/compose/app.yaml", "public/svgs/app.svg"
    assert load({path: text, logo: "<svg/>"}, SourceFormat.COOLIFY).item.icon == f"files/{logo}"
    alone = load({"app.yaml": text}, SourceFormat.COOLIFY).item.icon
    assert alone == "https://raw.githubusercontent.com/coollabsio/coolify/main/public/svgs/app.svg"
    outside = text.replace("svgs/app.svg", "../../../etc/x.svg")
    assert load({path: outside}, SourceFormat.COOLIFY).item.icon == "icons/app.svg"
    files = {
        "template.toml": "",
        "docker-compose.yml": APP,
        "meta.json": json.dumps({"id": "app", "logo": "logo.png"}),
        "logo.png": "x",
    }
    blueprint = {f"blueprints/app/{name}": content for name, content in files.items()}
    assert load(blueprint, SourceFormat.DOKPLOY).item.icon == "files/blueprints/app/logo.png"
