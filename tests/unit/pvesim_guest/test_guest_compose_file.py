"""Compose files are read, and refused, as by compose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pvesim.guest.docker.compose_file import Loader, Project
from tests.pvesim.guest.docker.env_file import parse_env_file
from tests.pvesim.guest.docker.images import parse_reference
from tests.pvesim.guest.docker.interpolation import interpolate
from tests.pvesim.guest.docker.state import DockerError
from tests.pvesim.guest.filesystem import DIRECTORY, FileSystem


def load(text: str, warnings: list[str] | None = None, /, **variables: str) -> Project:
    fs = FileSystem({"/": DIRECTORY, "/opt": DIRECTORY, "/opt/my.App": DIRECTORY})
    fs.write("/opt/my.App/extra.env", b"FROM_FILE=1\nBOTH=file\n")
    heard = warnings if warnings is not None else []
    loader = Loader(fs, "/opt/my.App", variables, heard.append)
    return loader.load({"/opt/my.App/compose.yaml": text}, name=None)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("services:\n  a: [", "yaml: line"),
        ("- a", "top-level object must be a mapping"),
        ("services: {a: {image: x, imagee: y}}", "services.a additional properties 'imagee' not allowed"),
        ("servces: {}", "(root) additional properties 'servces' not allowed"),
        ("services: {a: {restart: always}}", 'service "a" has neither an image nor a build context'),
        ("services: {a: {image: x, volumes: ['data:/d']}}", "refers to undefined volume data"),
        ("services: {a: {image: x, networks: [n]}}", "refers to undefined network n"),
        ("services: {a: {image: x, depends_on: [b]}}", 'depends on undefined service "b"'),
        (
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}",
            "dependency cycle detected",
        ),
        ("services: {a: {image: x, ports: ['80:eighty']}}", "invalid hostPort or containerPort: 80:eighty"),
        ("services: {a: {image: x, ports: ['80-82:80-81']}}", "invalid ranges specified"),
        ("services: {a: {image: x, ports: ['99999:80']}}", "invalid port range: 99999"),
        ("services: {a: {image: x, ports: '80:80'}}", "services.a.ports must be an array"),
        ("services: {a: {image: x, restart: sometimes}}", "unknown policy 'sometimes'"),
        ("services: {a: {image: x, env_file: none.env}}", "env file /opt/my.App/none.env not found"),
        (
            "services: {a: {image: '${MISSING:?set it}'}}",
            "required variable MISSING is missing a value: set it",
        ),
        ("services: {a: {image: 'x${}'}}", "invalid interpolation format for services.a.image"),
        ("services: {a: {image: x, healthcheck: {tests: y}}}", "additional properties 'tests' not allowed"),
        ("name: 'No Good'\nservices: {a: {image: x}}", 'invalid project name "No Good"'),
        ("services: {}", "no service selected"),
    ],
)
def test_bad_files_are_refused_by_name(text: str, refusal: str) -> None:
    with pytest.raises(DockerError) as caught:
        load(text)
    assert refusal in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "ports"),
    [
        ('"8080:80"', [("0.0.0.0", 8080, 80, "tcp")]),
        ('"127.0.0.1:8080:80"', [("127.0.0.1", 8080, 80, "tcp")]),
        ('"53:53/udp"', [("0.0.0.0", 53, 53, "udp")]),
        ('"3000-3001:4000-4001"', [("0.0.0.0", 3000, 4000, "tcp"), ("0.0.0.0", 3001, 4001, "tcp")]),
        ("{target: 80, published: '81', protocol: udp, host_ip: 127.0.0.1}", [("127.0.0.1", 81, 80, "udp")]),
        ('"${P:-90}:80"', [("0.0.0.0", 90, 80, "tcp")]),
    ],
)
def test_ports_in_every_syntax(entry: str, ports: list[tuple[str, int, int, str]]) -> None:
    found = load(f"services: {{a: {{image: x, ports: [{entry}]}}}}").services[0].ports
    assert [(p.ip, p.published, p.target, p.proto) for p in found] == ports


def test_a_service_is_read_whole() -> None:
    text = """
services:
  web:
    image: nginx:${TAG:-1}
    env_file: extra.env
    environment: [BOTH=own, "GIVEN", "UNSET"]
    volumes: [data:/data, ./conf:/etc/app:ro, /srv/x:/x, {type: volume, source: data, target: /more}]
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: [CMD, "true"]}
    x-own: {anything: 1}
  db: {image: postgres, environment: {A: 1, B: true, C: }}
volumes: {data: {}}
"""
    project = load(text, GIVEN="g")
    assert project.name == "myapp"
    assert [service.name for service in project.services] == ["db", "web"]
    db, web = project.services
    assert (web.image, web.has_health) == ("nginx:1", True)
    assert dict(web.environment) == {"FROM_FILE": "1", "BOTH": "own", "GIVEN": "g"}
    assert dict(db.environment) == {"A": "1", "B": "true"}
    volume = "/var/lib/docker/volumes/myapp_data/_data"
    assert [(m.source, m.target, m.read_only) for m in web.mounts] == [
        (volume, "/data", False),
        ("/opt/my.App/conf", "/etc/app", True),
        ("/srv/x", "/x", False),
        (volume, "/more", False),
    ]


def test_an_undefined_variable_is_warned_about() -> None:
    warnings: list[str] = []
    assert load("services: {a: {image: 'nginx:1${NOT_SET}'}}", warnings).services[0].image == "nginx:1"
    assert warnings == ['The \\"NOT_SET\\" variable is not set. Defaulting to a blank string.']


def test_env_files_know_quotes_and_comments() -> None:
    text = "A=1 # note\n# B=2\nexport C='x # $y'\nD=\"two\\nlines $A\"\n\nE=a=b\nF=\nG='multi\nline'\n"
    wanted = {"A": "1", "C": "x # $y", "D": "two\nlines 1", "E": "a=b", "F": "", "G": "multi\nline"}
    assert parse_env_file(text) == wanted


@given(st.text(max_size=80))
def test_a_value_with_its_dollars_doubled_stays_as_it_is(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), {}, where="a", warn=print) == text


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", ("docker.io", "nginx", "latest")),
        ("library/nginx:1.27", ("docker.io", "nginx", "1.27")),
        ("ghcr.io/a/b:c", ("ghcr.io", "a/b", "c")),
        ("localhost:5000/a", ("localhost:5000", "a", "latest")),
    ],
)
def test_references_are_taken_apart(text: str, full: tuple[str, str, str]) -> None:
    reference = parse_reference(text)
    assert (reference.registry, reference.repository, reference.tag) == full


@pytest.mark.parametrize("text", ["Nginx", "a b", "", "-x", "nginx:$TAG"])
def test_bad_references_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid reference format"):
        parse_reference(text)
