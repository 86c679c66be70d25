"""What a definition leans on in its own collection comes along: files, names, addresses, variables, parts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.catalog.domain.entities import Item
from services.catalog.domain.importers.collection import Imported, import_collection
from services.catalog.domain.names import is_secret_name
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat


def load(files: dict[str, str | bytes], kind: SourceFormat = SourceFormat.COMPOSE) -> Imported:
    content = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
    return import_collection(content, source="acme", kind=kind)


def load_one(definition: str, **files: str) -> Item:
    beside = {f"app/{path}": text for path, text in files.items()}
    imported = load({"app/compose.yaml": definition, **beside})
    assert imported.rejections == ()
    return imported.items[0].item


def find_reason(definition: str, **files: str | bytes) -> str:
    beside = {f"app/{path}": text for path, text in files.items()}
    (rejection,) = load({"app/compose.yaml": definition, **beside}).rejections
    return rejection.error


def run(item: Item) -> dict[str, Any]:
    rendered = render_item(item, RenderRequest(runtime="compose", public_port=30_000))
    definition: dict[str, Any] = yaml.safe_load(rendered.compose_yaml)
    return definition


def load_umbrel(definition: str, script: str = "", **files: str) -> Item:
    about = "id: forge\nname: Forge\ncategory: developer\nversion: '1.0'\ntagline: t\ndescription: d\nport: 8085\n"
    content: dict[str, str | bytes] = {"forge/umbrel-app.yml": about, "forge/docker-compose.yml": definition}
    content |= {"forge/exports.sh": script, **{f"forge/{path}": text for path, text in files.items()}}
    imported = load(content, SourceFormat.UMBREL)
    assert imported.rejections == ()
    return imported.items[0].item


MOUNTED = (
    "services:\n  a:\n    image: a/b:1\n    volumes: ['./my.conf:/etc/my.conf:ro', './run.sh:/run.sh']\n"
)


def test_a_mounted_file_of_the_collection_goes_into_the_definition() -> None:
    files = {"my.conf": "listen $host;\n", "run.sh": "#!/bin/sh\nexec a\n"}
    definition = run(load_one(MOUNTED, **files))
    assert definition["configs"]["my-conf"]["content"] == "listen $$host;\n"
    assert definition["services"]["a"]["configs"] == [
        {"source": "my-conf", "target": "/etc/my.conf"},
        {"source": "run-sh", "target": "/run.sh", "mode": 0o755},
    ]


@pytest.mark.parametrize(("content", "reason"), [(b"\x00\xff", "no text"), (b"x" * 60_001, "longer than")])
def test_a_mounted_file_that_is_no_short_text_is_the_reason(content: bytes, reason: str) -> None:
    assert reason in find_reason(MOUNTED, **{"my.conf": content})


def test_variables_come_from_the_files_that_a_definition_names() -> None:
    text = (
        "services:\n  a:\n    image: a/b:${TAG}\n    env_file: [a.env, {path: none.env, required: false}]\n"
    )
    text += "    ports: ['${PORT}:${PORT}', '${BIND}:9000:9000/udp']\n    environment: {MODE: fast}\n"
    files = {
        "a.env": "# x\nMODE=slow\nexport NAME='b c' # d\n",
        ".env": "TAG=2.1\nPORT=8080\nDB_PASSWORD=x1y2z3\n",
    }
    item = load_one(text, **files)
    (service,) = run(item)["services"].values()
    assert service["environment"] == {"MODE": "fast", "NAME": "b c"}
    assert service["image"] == "a/b:2.1"
    assert {(port.container, port.protocol) for port in item.ports} == {(8080, "tcp"), (9000, "udp")}


def test_secrets_in_files_are_generated_and_configs_are_kept() -> None:
    text = "services:\n  a:\n    image: a/b:1\n    secrets: [db_pass]\n    configs: [{source: c, target: /c.ini}]\n"
    text += "secrets: {db_pass: {file: ./none.txt}}\nconfigs: {c: {content: 'x=${MODE:-1}'}}\n"
    item = load_one(text)
    assert {i.name: bool(i.generate) for i in item.inputs} == {"DB_PASS": True, "MODE": False}
    targets = [entry["target"] for entry in run(item)["services"]["a"]["configs"]]
    assert targets == ["/c.ini", "/run/secrets/db_pass"]
    external = text.replace("{content: 'x=${MODE:-1}'}", "{external: true}")
    assert find_reason(external) == "needs the config c, which its collection does not have"


def test_services_are_still_reached_by_the_names_they_had() -> None:
    text = (
        "services:\n  web: {image: a/b:1, container_name: shop, links: ['db:mysql']}\n  db: {image: a/c:1}\n"
    )
    services = run(load_one(text))["services"]
    assert services["web"]["networks"]["default"]["aliases"] == ["shop"]
    assert services["db"]["networks"]["default"]["aliases"] == ["mysql"]


def test_umbrels_fixed_addresses_become_the_names_of_services() -> None:
    text = (
        "services:\n  app_proxy: {environment: {APP_HOST: $APP_FORGE_IP, APP_PORT: $APP_FORGE_PORT}}\n"
        "  db: {image: a/c:1, networks: {default: {ipv4_address: 10.21.21.7}}, volumes: ['${APP_FORGE_DIR}:/d']}\n"
        "  web:\n    image: a/b:1\n    command: --db=10.21.21.7:5432 --not=10.21.21.77 --in=$APP_FORGE_URL\n"
        "    environment: {KEY: $APP_FORGE_KEY}\n    volumes: ['${APP_FORGE_DIR}:/data']\n"
        "    networks: {default: {ipv4_address: $APP_FORGE_IP}}\n"
    ).replace("'${APP_FORGE_DIR}:/data'", "'${APP_FORGE_DIR}:/data', '${APP_DATA_DIR}/n.conf:/n.conf:ro'")
    script = (
        'export APP_FORGE_IP="10.21.21.6"\nexport APP_FORGE_URL="http://${APP_FORGE_IP}:80"\n'
        'export APP_FORGE_DIR="${EXPORTS_APP_DIR}/data/x"\n'
        'export APP_FORGE_KEY=$(derive_entropy "env-${app_entropy_identifier}-KEY" | head -c32)\n'
    )
    script += "export APP_FORGE_MORE=$(compute)\n"
    item = load_umbrel(text, script, **{"n.conf": "pass 10.21.21.7:5432 forge_db_1"})
    definition = run(item)
    services = definition["services"]
    assert definition["configs"]["n-conf"]["content"] == "pass db:5432 forge_db_1"
    assert services["db"]["networks"]["default"]["aliases"] == ["forge_db_1"]
    assert item.notes == ("On Umbrel a script computes APP_FORGE_MORE; here they are empty unless given.",)
    assert services["web"]["command"] == "--db=db:5432 --not=10.21.21.77 --in=http://web:80"
    assert item.main_port is not None
    assert (item.main_port.service, item.main_port.container) == ("web", 8085)
    assert services["db"]["volumes"] == ["data-x:/d"]
    assert services["web"]["volumes"] == ["data-x:/data"]
    (key,) = item.inputs
    assert (key.name, key.generate and key.generate.length) == ("APP_FORGE_KEY", 32)


def test_a_definition_in_parts_is_put_together_without_what_a_profile_asks_for() -> None:
    text = (
        "include: [more.yaml]\nservices:\n  base: {image: a/b:1, environment: [A=1, B=1], profiles: [never]}\n"
        "  web: {extends: base, environment: {B: '2'}, depends_on: [base, cache]}\n"
    )
    services = run(
        load_one(text, **{"more.yaml": "include: more.yaml\nservices: {cache: {image: a/r:1}}\n"})
    )["services"]
    assert services.keys() == {"web", "cache"}
    assert services["web"]["environment"] == {"A": "1", "B": "2"}
    assert services["web"]["depends_on"] == ["cache"]
    assert "extends itself" in find_reason("services:\n  a: {image: x, extends: a}\n")


@pytest.mark.parametrize(
    ("mount", "volume"),
    [
        ("${DATA}/etc:/x", "etc"), ("$DATA:/x", "data"), ("${DATA:-./here}:/x", "here"), ("~/x:/x", "x"),
        ("/var/lib/thing:/x", "lib-thing"), ("/tmp/thing:/x", "tmp-thing"), ("/root/thing:/x", "root-thing"),
    ],
)  # fmt: skip
def test_folders_of_data_become_volumes(mount: str, volume: str) -> None:
    item = load_one(f"services:\n  a:\n    image: a/b:1\n    volumes: ['{mount}']\n")
    assert [v.name for v in item.volumes] == [volume]


@pytest.mark.parametrize(
    "source",
    [
        "/var/lib/docker/x",
        "/tmp/.X11-unix",
        "/run/podman/podman.sock",
        "${S:-/var/run/docker.sock}",
        "/etc/x",
        "../x",
    ],
)
def test_folders_of_the_system_do_not(source: str) -> None:
    assert "mounts" in find_reason(f"services:\n  a:\n    image: a/b:1\n    volumes: ['{source}:/x']\n")


def test_a_secret_is_the_same_wherever_it_is_one() -> None:
    text = (
        "services:\n  a:\n    image: a/b:1\n    environment:\n      DB_PASSWORD: casaos\n"
        '      CONFIG: "db:\\n  user: casaos\\n  password: casaos\\n"\n      JWT_TOKEN_TIMEOUT: "3600"\n'
        "      PASSWORD: invoiceninja\n      USERNAME: invoiceninja\n"
        "  r: {image: r:1, command: redis-server --requirepass casaos}\n"
        "  s: {image: r:1, command: [redis-server, --requirepass, casaos], volumes: ['./r.conf:/r.conf']}\n"
    )
    definition = run(load_one(text, **{"r.conf": "requirepass casaos\nname casaos\n"}))
    services = definition["services"]
    assert services["a"]["environment"]["CONFIG"] == "db:\n  user: casaos\n  password: ${DB_PASSWORD}\n"
    assert services["a"]["environment"]["JWT_TOKEN_TIMEOUT"] == "3600"
    assert services["a"]["environment"]["USERNAME"] == "invoiceninja"
    assert services["r"]["command"] == "redis-server --requirepass ${DB_PASSWORD}"
    assert services["s"]["command"] == ["redis-server", "--requirepass", "${DB_PASSWORD}"]
    assert definition["configs"]["r-conf"]["content"] == "requirepass ${DB_PASSWORD}\nname casaos\n"
    assert is_secret_name("default_pwd")


def test_keys_that_somebody_else_gives_out_are_asked_for_not_made_up() -> None:
    text = "services:\n  a: {image: a/b:1, environment: {A: '${OPENAI_API_KEY}', B: '${SESSION_SECRET}', BOT_TELEGRAM_TOKEN: xyz}}\n"
    inputs = {i.name: i for i in load_one(text).inputs}
    assert (inputs["OPENAI_API_KEY"].generate, inputs["OPENAI_API_KEY"].required) == (None, False)
    assert inputs["BOT_TELEGRAM_TOKEN"].generate is None
    assert inputs["SESSION_SECRET"].generate is not None


def test_the_port_of_a_service_that_shares_anothers_network_is_published_there() -> None:
    text = (
        "services:\n  vpn: {image: a/v:1}\n  web: {image: a/b:1, network_mode: 'service:vpn',"
        " labels: [proximity.port=8080]}\n"
    )
    item = load_one(text)
    assert item.main_port is not None
    assert (item.main_port.service, item.main_port.container) == ("vpn", 8080)


def test_portainers_first_version_and_plain_names_of_volumes_are_read() -> None:
    old = {"type": "container", "title": "Old", "image": "a/b:1", "volumes": ["/data"], "ports": ["80/tcp"]}
    options = [{"name": "OPTIONS", "default": "<options>"}]
    swarm = {"type": "stack", "title": "Swarm", "repository": {}}
    imported = load({"templates.json": json.dumps([{**old, "env": options}, swarm])}, SourceFormat.PORTAINER)
    (entry,) = imported.items
    assert [v.path for v in entry.item.volumes] == ["/data"]
    assert [i.default for i in entry.item.inputs] == [""]
    assert [r.error for r in imported.rejections] == ["is a swarm stack, not meant for a single host"]


PREPARED = (
    "services:\n  app_proxy: {environment: {APP_HOST: forge_web_1, APP_PORT: 80}}\n"
    "  web:\n    image: a/b:1\n    user: '1000:1000'\n    depends_on: [db]\n"
    "    volumes: ['${APP_DATA_DIR}/data/conf:/conf', '${APP_DATA_DIR}/data/own:/own']\n"
    "  db: {image: a/c:1, volumes: ['${APP_DATA_DIR}/data/db:/db']}\n"
)


def test_volumes_begin_with_the_files_and_the_owner_that_the_collection_gives_them() -> None:
    item = load_umbrel(PREPARED, **{"data/conf/a/b.conf": "x=$y\n", "data/conf/.gitkeep": ""})
    definition = run(item)
    preparer = definition["services"]["proximity-volumes"]
    assert preparer["volumes"] == ["data-conf:/volumes/data-conf", "data-own:/volumes/data-own"]
    assert preparer["configs"] == [{"source": "b-conf", "target": "/files/data-conf/a/b.conf"}]
    assert preparer["command"][2].startswith(
        "chown 1000:1000 /volumes/data-conf\nchown 1000:1000 /volumes/data-own\n"
    )
    assert preparer["restart"] == "no"
    assert definition["services"]["web"]["depends_on"] == {
        "db": {"condition": "service_started"},
        "proximity-volumes": {"condition": "service_completed_successfully"},
    }
    assert "depends_on" not in definition["services"]["db"]
    assert item.runtimes == ("compose",)


def test_first_files_never_replace_what_is_in_a_volume(tmp_path: Path) -> None:
    item = load_umbrel(
        PREPARED.replace("    user: '1000:1000'\n", ""), **{"data/conf/a/b.conf": "new", "data/conf/c": "new"}
    )
    script = run(item)["services"]["proximity-volumes"]["command"][2].replace("$$", "$")
    for name in ("files/data-conf/a/b.conf", "files/data-conf/c", "volumes/data-conf/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("kept" if name.startswith("volumes") else "new")
    script = script.replace("/files", f"{tmp_path}/files").replace("/volumes", f"{tmp_path}/volumes")
    subprocess.run(["sh", "-euc", script], check=True, timeout=30)
    assert (tmp_path / "volumes/data-conf/a/b.conf").read_text() == "new"
    assert (tmp_path / "volumes/data-conf/c").read_text() == "kept"


def test_files_that_are_no_texts_leave_a_volume_empty_and_say_so() -> None:
    text = "services: {a: {image: a/b:1, volumes: ['./d:/d']}}\n"
    (entry,) = load({"app/compose.yaml": text, "app/d/x.db": b"\xff"}).items
    assert "proximity-volumes" not in run(entry.item)["services"]
    assert "The volume d begins empty; its collection puts files there: d/x.db." in entry.item.notes


def test_a_template_is_filled_with_what_is_known() -> None:
    text = (
        "services:\n  app_proxy: {environment: {APP_HOST: forge_web_1, APP_PORT: 80}}\n"
        "  web: {image: a/b:1, volumes: ['${APP_DATA_DIR}/n.conf:/n.conf:ro']}\n"
    )
    template = "id ${APP_ID}\nport {{ APP_X }}\npass $APP_PASSWORD\nhost $host ${other}\n"
    definition = run(load_umbrel(text, 'export APP_X="7"\n', **{"n.conf.template": template}))
    expected = "id forge\nport 7\npass ${APP_PASSWORD}\nhost $$host $${other}\n"
    assert definition["configs"]["n-conf"]["content"] == expected
