"""An imported app means here what it means where its collection comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.apps.domain.compose import render_values_file
from services.catalog.__main__ import run_command
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat
from tests.unit.catalog.compose_samples import list_inputs, list_ports, load, read, refuse


def test_values_beside_a_definition_are_read_as_compose_reads_them() -> None:
    document = read(
        "services: {web: {image: 'acme/web:1', ports: ['80:80'], env_file: .env, environment: [DB_PASSWORD, OTHER, TZ]}}",
        **{
            ".env": "ROOT=/srv\nDATA=${ROOT}/data\nPRICE='5$ only'\nDB_PASSWORD=sesame1\nDB=pg://u:${DB_PASSWORD}@db\n"
        },
    )
    inputs = list_inputs(document)
    assert (inputs["DATA"]["default"], inputs["PRICE"]["default"]) == ("/srv/data", "5$ only")
    assert "generate" in inputs["DB_PASSWORD"]
    environment = document["compose"]["services"]["web"]["environment"]
    assert environment["DB"] == "pg://u:${DB_PASSWORD}@db"
    assert "DB" not in inputs
    (entry,) = load(
        {"compose.yaml": "services: {web: {image: 'a/b:1', environment: [OTHER, KEPT=1, TZ]}}"}
    ).items
    for given, expected in (
        ({}, {"KEPT": "1", "TZ": "Etc/UTC"}),
        ({"OTHER": "x"}, {"OTHER": "x", "KEPT": "1", "TZ": "Etc/UTC"}),
    ):
        rendered = render_item(entry.item, RenderRequest(runtime="oci", environment=given))
        assert rendered.oci is not None
        assert rendered.oci.environment == expected


def test_what_is_open_to_the_machine_only_stays_closed() -> None:
    document = read(
        "services: {web: {image: 'acme/web:1', ports: ['80:80', '127.0.0.1:9000:9000', '[::1]:9001:9001', '127.0.0.1::9002']},"
        " db: {image: 'acme/db:1', ports: [{target: 5432, published: 5432, host_ip: 127.0.0.1}]}}"
    )
    assert list_ports(document) == [("web", 80, 80, "web")]
    services = document["compose"]["services"]
    assert services["web"]["ports"] == ["80:80/tcp", "127.0.0.1:9000:9000/tcp", "[::1]:9001:9001/tcp"]
    assert services["db"]["ports"] == ["127.0.0.1:5432:5432/tcp"]
    assert sum("own container only" in note for note in document["notes"]) == 4


@pytest.mark.parametrize(
    "hint",
    [
        "expose: ['3000/tcp']",
        "expose: [22, '3000']",
        "labels: ['traefik.http.services.x.loadbalancer.server.port=3000']",
        "labels: {caddy.reverse_proxy: '{{upstreams 3000}}'}",
        "environment: {VIRTUAL_PORT: 3000}",
        "healthcheck: {test: ['CMD', 'curl', 'http://localhost:3000/health']}",
    ],
)
def test_a_page_behind_a_proxy_is_the_app_s_page(hint: str) -> None:
    document = read(
        f"services: {{db: {{image: 'postgres:16', expose: [5432]}}, app: {{image: 'acme/app:1', {hint}}}}}"
    )
    assert list_ports(document) == [("app", 3000, 3000, "web")]


def test_a_port_that_says_no_place_gets_one_that_is_free_and_an_app_without_a_page_says_so() -> None:
    document = read(
        "services: {a: {image: 'a/b:1', ports: ['80']}, b: {image: 'a/c:1', ports: ['80', '81:81']}}"
    )
    assert sorted(list_ports(document)) == [
        ("a", 80, 80, "web"),
        ("b", 80, 82, "other"),
        ("b", 81, 81, "other"),
    ]
    document = read("services: {a: {image: 'a/b:1'}}")
    assert document["notes"] == ["It has no page to open: its collection publishes none."]


def test_an_item_is_about_its_app_not_its_database() -> None:
    document = read(
        "services: {db: {image: 'postgres:16', ports: ['5432:5432']}, board: {image: 'ghcr.io/org/board:4.2.1', ports: ['80:80']}}"
    )
    assert (document["version"], document["website"]) == ("4.2.1", "https://ghcr.io/org/board")
    assert ("board", 80, 80, "web") in list_ports(document)


def test_the_tag_of_an_image_is_an_input() -> None:
    document = read(
        "services: {a: {image: 'org/a:${A_TAG}', ports: ['80:80']}, b: {image: 'org/b:${B_TAG:-2.1}'}}"
    )
    inputs = list_inputs(document)
    assert inputs["A_TAG"]["required"]
    assert not inputs["B_TAG"].get("required")
    (entry,) = load({"compose.yaml": "services: {a: {image: 'org/a:${TAG:-1.2}'}}"}).items
    assert entry.item.images == ("org/a:1.2",)
    assert render_item(entry.item, RenderRequest(environment={"TAG": "3"})).images == ("org/a:3",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "services: {a: {image: 'a/b:1', depends_on: [b]}, b: {image: 'a/c:1', depends_on: [a]}}",
            "a → b → a",
        ),
        ("services: {a: {image: 'a/b:1', depends_on: [a]}}", "a → a"),
        (
            "services: {a: {image: 'a/b:1', depends_on: {b: {condition: service_healthy}}}, b: {image: 'redis:7'}}",
            "nothing checks the health of b",
        ),
        (
            "services: {a: {image: 'a/b:1', depends_on: {b: {condition: service_healthy}}}, b: {image: 'a/c:1', healthcheck: {test: [NONE]}}}",
            "nothing checks the health of b",
        ),
        ("services: {a: {image: 'a/b:1', volumes: ['./conf.yml:/app/conf.yml']}}", "needs the file conf.yml"),
        (
            "services: {a: {image: 'a/b:1', volumes: ['/srv/Caddyfile:/etc/Caddyfile']}}",
            "needs the file /srv/Caddyfile",
        ),
        ("services: {a: {image: 'a/b:1', ports: ['80:80/sctp']}}", "only tcp and udp"),
    ],
)
def test_what_cannot_start_is_refused(text: str, reason: str) -> None:
    assert reason in refuse(text)


def test_an_entry_is_refused_with_all_reasons() -> None:
    error = refuse(
        "services: {a: {image: 'a/b:1', privileged: true, cap_add: [SYS_TIME], volumes: ['/etc:/x', '/var/run/docker.sock:/s']},"
        " b: {build: ., pid: host}}"
    )
    for reason in (
        "mounts /etc",
        "Docker socket",
        "sets privileged",
        "SYS_TIME",
        "sets build",
        "uses the pid",
        "no image",
    ):
        assert reason in error, reason


def test_settings_of_the_app_stay_and_what_is_left_out_is_said() -> None:
    document = read(
        "services: {a: {image: 'a/b:1', ports: ['80:80'], extra_hosts: ['x:192.0.2.1'], dns: [192.0.2.2], stop_grace_period: 2m,"
        " mem_limit: 1g, deploy: {replicas: 3}, volumes: ['films:/films', 'old:/old', {type: volume, source: d, target: /d,"
        " volume: {subpath: x}}]}}\nvolumes: {films: {driver_opts: {type: nfs, o: addr=192.0.2.3, device: ':/films'}},"
        " old: {external: true}, d: {}}"
    )
    service = document["compose"]["services"]["a"]
    assert (service["extra_hosts"], service["dns"], service["stop_grace_period"]) == (
        ["x:192.0.2.1"],
        ["192.0.2.2"],
        "2m",
    )
    notes = " ".join(document["notes"])
    for text in (
        "limit of memory",
        "3 times",
        "films is on a file server",
        "old exists before",
        "folder inside of the volume d",
    ):
        assert text in notes, text


def test_the_network_of_the_host_is_that_of_the_app_s_container() -> None:
    (entry,) = load(
        {"compose.yaml": "services: {a: {image: 'a/b:1', network_mode: host, ports: ['8123:8123']}}"}
    ).items
    rendered = render_item(entry.item, RenderRequest(runtime="compose", public_port=30_000))
    assert rendered.main_port is not None
    assert (rendered.main_port.container, rendered.main_port.published) == (8123, 8123)
    assert "network_mode: host" in rendered.compose_yaml
    assert "30000" not in rendered.compose_yaml


@pytest.mark.parametrize(
    ("setting", "allows"),
    [
        ("devices: ['/dev/net/tun:/dev/net/tun']", ["devices"]),
        ("volumes: ['/dev/net/tun:/dev/net/tun']", ["devices"]),
        ("cap_add: [SYS_ADMIN]", ["capabilities"]),
        ("cap_add: [NET_ADMIN, SYS_MODULE]", None),
    ],
)
def test_what_an_administrator_may_allow_is_published(setting: str, allows: list[str] | None) -> None:
    document = read(f"services: {{a: {{image: 'a/b:1', {setting}}}}}")
    assert document.get("allows") == allows
    assert "SYS_MODULE" not in str(document["compose"])


def test_paths_in_an_included_part_are_those_of_its_folder() -> None:
    document = read(
        "include: [parts/db.yaml]\nservices: {web: {image: 'a/b:1', ports: ['80:80']}}",
        **{
            "parts/db.yaml": "services: {db: {image: 'a/c:1', env_file: db.env, volumes: ['./x.conf:/x.conf']}}",
            "parts/db.env": "NAME=app",
            "parts/x.conf": "x",
        },
    )
    assert document["compose"]["services"]["db"]["environment"] == {"NAME": "app"}
    assert [config["content"] for config in document["compose"]["configs"].values()] == ["x"]


UMBREL = "id: shelf\nname: Shelf\nversion: 1\ndependencies: [{needed}]\nport: 4000\n"


@pytest.mark.parametrize(
    ("needed", "environment", "is_published"),
    [
        ("mosquitto", "SERVER: 'mqtt://mosquitto_broker_1:1883'", True),
        ("ollama", "OLLAMA: $APP_OLLAMA_URL", True),
        ("nextcloud", "DATA: ${APP_NEXTCLOUD_DATA_DIR}", False),
        ("bitcoin", "A: b", False),
    ],
)
def test_an_app_that_needs_only_an_address_of_another_is_published(
    needed: str, environment: str, is_published: bool
) -> None:
    compose = f"services: {{web: {{image: 'a/b:1', ports: ['80:80'], environment: {{{environment}}}}}}}"
    files = {"umbrel-app.yml": UMBREL.format(needed=needed), "docker-compose.yml": compose}
    imported = load(files, SourceFormat.UMBREL)
    assert bool(imported.items) is is_published
    if is_published:
        (record,) = imported.items[0].document["inputs"]
        assert not record.get("required")
        assert "default" not in record
        assert any(needed in note for note in imported.items[0].document["notes"])
    else:
        assert "works only beside other apps" in imported.rejections[0].error


def test_a_collection_in_a_folder_is_checked_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (
        ("good", "ports: ['80:80']"),
        ("quiet", "cap_add: [SYS_ADMIN]"),
        ("bad", "privileged: true, pid: host"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(f"services: {{a: {{image: 'a/b:1', {text}}}}}")
    assert run_command(["check-source", str(tmp_path), "compose"]) == 0
    printed = capsys.readouterr().out
    assert "rejected: bad/compose.yaml: a sets privileged" in printed
    assert "uses the pid of its host" in printed
    assert "no page: checked.quiet" in printed
    assert "needs permission: checked.quiet: capabilities" in printed
    assert printed.endswith("2 published, 1 rejected, 0 do not render\n")
    assert run_command(["check-source", str(tmp_path), "other"]) == 2


def test_the_port_that_runtipi_opens_may_be_the_one_inside() -> None:
    files = {
        "config.json": '{"id": "torrent", "name": "T", "port": 8111, "categories": []}',
        "docker-compose.json": '{"services": [{"name": "torrent", "image": "a/b:1", "isMain": true, "internalPort":'
        ' "${APP_PORT}", "environment": [{"key": "WEBUI_PORT", "value": "${APP_PORT}"}]}]}',
    }
    (entry,) = load(files, SourceFormat.RUNTIPI).items
    assert list_ports(entry.document) == [("torrent", 8111, 8111, "web")]


def test_an_app_is_told_the_host_and_port_that_it_answers_at() -> None:
    text = "services: {a: {image: 'a/b:1', environment: {URL: 'http://${PROXIMITY_HOSTNAME}:${PROXIMITY_PUBLIC_PORT}'}, %s}}"
    (entry,) = load({"compose.yaml": text % "ports: ['80:80']"}).items
    request = RenderRequest(runtime="compose", hostname="app-1", public_port=30_000, refers_to_host=True)
    compose = render_item(entry.item, request).compose_yaml
    assert "http://${PROXIMITY_HOSTNAME}:30000" in compose
    assert "http://[2001:db8::1]:30000" in compose.replace(
        "${PROXIMITY_HOSTNAME}",
        render_values_file(compose, {}, host="2001:db8::1").strip().split("=")[1].strip("'"),
    )
    image = render_item(entry.item, replace(request, runtime="oci"))
    assert image.oci is not None
    assert image.oci.environment["URL"] == "http://app-1:80"
    (direct,) = load({"compose.yaml": text % "network_mode: host, ports: ['8123:8123']"}).items
    assert "http://${PROXIMITY_HOSTNAME}:8123" in render_item(direct.item, request).compose_yaml
