"""CasaOS, Umbrel and plain compose collections as they are in the field, each entry with a quirk.

An entry is what it says and the reason why it must be left out, empty where it must be published.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Files = dict[str, str]
Quirk = tuple[Any, str]

# One entry, one line.
# fmt: off
CASAOS: list[Quirk] = [
    (("    network_mode: bridge\n    restart: unless-stopped\n    container_name: x", ""), ""),
    (("    volumes:\n      - type: bind\n        source: /DATA/AppData/$AppID/config\n        target: /config\n        bind: {create_host_path: true}", ""), ""),
    (('    deploy:\n      resources:\n        reservations:\n          memory: "256M"\n        limits: {memory: 1024M, cpus: \'0.5\'}', ""), ""),
    (("    privileged: true", ""), "privileged"),
    (("    network_mode: host", ""), ""),
    (("    cap_add: [NET_ADMIN]", ""), ""),
    (("    cap_add: []\n    command: []\n    devices: []\n    environment: []", ""), ""),
    (("    environment:\n      - TZ=$TZ\n      - PUID=${PUID}\n      - OPENAI_API_KEY=$OPENAI_API_KEY\n      - NUM=5", ""), ""),
    (("    environment:\n      PUID: 1000\n      ON: true\n      EMPTY:\n      PASSWORD: casaos\n      DATE: 2024-01-01", ""), ""),
    (("    extra_hosts: ['host.docker.internal:host-gateway']\n    labels: {icon: 'https://x/y.png'}\n    x-casaos: {envs: [{container: TZ, description: {en_us: TimeZone}}], ports: [], volumes: []}", ""), ""),
    (("    networks: [my_net]", "networks:\n  my_net:\n    driver: bridge\n    name: big-bear"), ""),
    (("    networks:\n      my_net: {ipv4_address: 10.0.0.5}", "networks:\n  my_net:\n    ipam: {config: [{subnet: 10.0.0.0/24}]}"), ""),
    (('    depends_on:\n      db: {condition: service_healthy}\n  db:\n    image: postgres:16\n    healthcheck:\n      test: ["CMD-SHELL", "pg_isready -U $${POSTGRES_USER}"]\n      interval: 5s\n      start_period: 20s\n    environment: {POSTGRES_PASSWORD: casaos, POSTGRES_USER: casaos}\n    volumes: [\'pg:/var/lib/postgresql/data\']', "volumes:\n  pg:\n    name: pg_data"), ""),
    (('    user: "1000:1000"\n    shm_size: 2gb\n    ulimits: {nofile: {soft: 1024, hard: 2048}}\n    tty: true\n    stdin_open: true\n    init: true\n    security_opt: [\'seccomp:unconfined\']\n    sysctls: {net.ipv4.ip_forward: 1}', ""), ""),
    (("    volumes: ['/var/run/docker.sock:/var/run/docker.sock']", ""), "Docker socket"),
    (("    volumes: ['/DATA:/DATA', '/DATA/Media/Movies:/movies', '/mnt:/mnt', '/media:/media:rw', '/:/host']", ""), "mounts / of"),
    (("    volumes: ['/DATA:/DATA', '/mnt:/mnt', '/media:/media:rw']", ""), ""),
    (('    entrypoint: ["sh", "-c", "echo $$HOME && exec x"]\n    command: >\n      --a\n      --b', ""), ""),
    (("    logging: {driver: json-file}\n    runtime: nvidia\n    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}", ""), ""),
    (("    expose: ['80']\n    hostname: x\n    mac_address: aa:bb\n    dns: [1.1.1.1]\n    pid: host", ""), "pid of its host"),
    (("    healthcheck: {disable: true}\n    stop_grace_period: 1m\n    pull_policy: always\n    platform: linux/amd64", ""), ""),
    (('      - "9000-9002:9000-9002/udp"\n      - 127.0.0.1:3333:3333\n      - "443"', ""), ""),
    (("    tmpfs: [/tmp]\n    read_only: true\n    working_dir: /x", ""), ""),
    (("    configs: [c]", "configs:\n  c: {content: 'x'}"), ""),
    (("    env_file: .env", ""), "needs the file .env"),
    (("    build: .", ""), ""),
    (("    group_add: ['44']\n    userns_mode: host", ""), "userns_mode"),
    (("    volumes:\n      - /DATA/AppData/$AppID:/config\n      - type: volume\n        source: d\n        target: /d\n      - type: tmpfs\n        target: /t\n        tmpfs: {size: 100}", "volumes: {d: {}}"), ""),
    (("    cgroup_parent: x", ""), "cgroup_parent"),
    (("    image: acme/x:${VERSION:-1.0}", ""), "given twice"),
    (("    volumes: ['/DATA/AppData/x/conf.toml:/conf.toml']", ""), "needs the file"),
    (("    devices: ['/dev/ttyUSB0:/dev/ttyUSB0']", ""), "devices (/dev/ttyUSB0"),
    (("    blkio_config: {weight: 300}\n    cpu_count: 2\n    mem_swappiness: 0\n    annotations: {a: b}\n    attach: false\n    deploy: {replicas: 1}", ""), ""),
    (("    links: [db]\n    scale: 1", ""), ""),
    (('      - "25500-25600:25500-25600"\n      - "19132:19132/udp"', ""), ""),
    (("    ports: ['10000-10299:10000-10299', '10000-10299:10000-10299/udp']", ""), "given twice"),
    (("", "x-foo: {a: 1}"), ""),
    (("    environment:\n      JAVA_OPTS: -Xmx1g $$x\n      URL: http://$$HOST\n      SECRET_KEY_BASE: '{{ x }}'", ""), ""),
]
"""What a service says besides, and what the file says at its top."""

UMBREL: list[Quirk] = [
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    restart: on-failure\n    stop_grace_period: 1m\n    volumes:\n      - ${APP_DATA_DIR}/data:/data\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: $APP_X_PORT\n  web:\n    image: a/b:1@sha256:DIGEST\n    ports: [\'8080:8080\']\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: web\n      APP_PORT: "3000"\n  web:\n    image: a/b:1@sha256:DIGEST\n    init: true\n    user: \'1000:1000\'\n    command: [\'a\', \'$APP_PASSWORD\']\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: $APP_X_IP\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    networks: {default: {ipv4_address: $APP_X_IP}}\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: host.docker.internal\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    network_mode: host\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n      PROXY_AUTH_ADD: "false"\n      PROXY_AUTH_WHITELIST: "/api/*"\n  web:\n    image: a/b:1@sha256:DIGEST\n    environment:\n      - A=${APP_SEED}\n      - HOST=http://${DEVICE_DOMAIN_NAME}:8110\n      - TOR=$TOR_PROXY_IP\n    extra_hosts: [\'host.docker.internal:host-gateway\']\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    volumes: [\'${UMBREL_ROOT}/data/storage/downloads:/downloads\', \'${UMBREL_ROOT}/home:/home\', \'/run/udev:/run/udev:ro\']\n', ""), "/run/udev"),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    volumes: [\'${UMBREL_ROOT}/data/storage/downloads:/downloads\', \'${UMBREL_ROOT}/home:/home\']\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    volumes: [\'/var/run/docker.sock:/var/run/docker.sock\']\n    privileged: true\n', ""), "Docker socket"),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    depends_on: [db, app_proxy]\n  db:\n    image: mariadb:10@sha256:DIGEST\n    environment: &e {MYSQL_PASSWORD: moneyprintergobrrr, MYSQL_ROOT_PASSWORD: moneyprintergobrrr}\n  worker:\n    image: a/b:1@sha256:DIGEST\n    environment: *e\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    environment: {X: $APP_BITCOIN_RPC_PORT}\n', "dependencies2: 1"), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    volumes: [\'${APP_DATA_DIR}/entrypoint.sh:/entrypoint.sh\', \'${APP_BITCOIN_DATA_DIR}:/x:ro\']\n', ""), "needs the file"),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    env_file: [\'${APP_DATA_DIR}/settings.env\']\n', ""), "needs the file settings.env"),
    (("services:\n  server:\n    image: a/b:1@sha256:DIGEST\n    ports: ['9999:9999']\n", ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    cap_add: [NET_ADMIN, SYS_MODULE]\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    devices: [\'/dev:/dev\']\n', ""), "devices (/dev:"),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    entrypoint: /bin/sh -c \'x $$y\'\n    healthcheck: {test: [\'CMD\',\'a\'], interval: 10s}\n    tmpfs: [/run]\n    shm_size: 128mb\n', "optimizedForUmbrelHome: true\nicon: https://x/y.svg\nwidgets: [{id: a}]\nsettings: {a: b}\npermissions: [STORAGE_DOWNLOADS]\ndefaultShell: web"), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:1@sha256:DIGEST\n    hostname: NAME_web_1\n    container_name: x\n    environment: {A: \'NAME_web_1:80\', B: \'NAME-web-1\'}\n    labels: [a=b]\n', ""), ""),
    (('version: "3.7"\n\nservices:\n  app_proxy:\n    environment:\n      APP_HOST: NAME_web_1\n      APP_PORT: 3000\n  web:\n    image: a/b:v1.0\n    logging: {driver: none}\n    deploy: {resources: {limits: {memory: 1g}}}\n    security_opt: [no-new-privileges]\n', "deterministicPassword: true\nversion2: 1"), ""),
]
"""A compose file, in which NAME is the app's id, and what the manifest says besides."""

COMPOSE: list[Quirk] = [
    ("services:\n  a:\n    image: nginx\n    ports: ['80']\n", ""),
    ("version: '2.1'\nservices:\n  a:\n    image: a/b\n    expose: [80]\n", ""),
    ("x-common: &c\n  restart: always\n  environment: {A: 1}\nservices:\n  a:\n    <<: *c\n    image: a/b:1\n  b:\n    <<: [*c, {tty: true}]\n    image: a/c:1\n", ""),
    ("services:\n  a:\n    image: a/b:${TAG:-1}\n    ports: ['${PORT:-80}:80', '127.0.0.1:${P2:-81}:81/tcp']\n    env_file: [.env]\n", "needs the file .env"),
    ("services:\n  a:\n    image: a/b:1\n    secrets: [s]\nsecrets:\n  s: {file: ./s.txt}\n", ""),
    ("services:\n  a:\n    image: a/b:1\n    profiles: [x]\n    networks: [web]\nnetworks:\n  web: {external: true}\n", ""),
    ("services:\n  a:\n    image: a/b:1\n    volumes: ['data:/d', '~/x:/x', './y:/y:z', '../z:/z']\nvolumes: {data: {external: true}}\n", "mounts ../z"),
    ("services:\n  a:\n    image: a/b:1\n    volumes: ['data:/d', './y:/y:z', './y2:/y2:rw,Z']\nvolumes: {data: {external: true}}\n", ""),
    ("services:\n  a:\n    image: a/b:1\n    depends_on: {b: {condition: service_started, restart: true, required: false}}\n  b: {image: b/c:1}\n", ""),
    ("services:\n  a:\n    image: a/b:1\n    environment:\n      - A\n      - B=\n      - C=${C:?needed}\n", ""),
    ("services:\n  a:\n    image: a/b:1\n    deploy: {mode: global}\n    networks: {default: {aliases: [x]}}\n    healthcheck: {test: NONE}\n", ""),
    ("services:\n  a:\n    build: {context: .}\n    image: a/b:1\n", ""),
    ("services:\n  a:\n    build: .\n", "build"),
    ("name: Some_Name\nservices:\n  a_b.c:\n    image: a/b:1\n    ports: [{target: 80, published: '8080-8090'}]\n", ""),
    ('services:\n  a:\n    image: a/b:1\n    command: [a, 5, true]\n    ports: [3000:3000, "6000-6010:6000-6010"]\n', ""),
    ("include: [other.yml]\nservices:\n  a:\n    image: a/b:1\n", "needs the file other.yml"),
    ("services:\n  a:\n    image: a/b:1\n    gpus: all\n", "gpus"),
]

# fmt: on

CASAOS_FILE = """
name: {n}
services:
  {n}:
    image: acme/{n}:1.2
    ports:
      - target: 80
        published: "80{i:02d}"
        protocol: tcp
{extra}
x-casaos:
  main: {n}
  architectures: [amd64, arm64]
  category: Media
  title: {{en_us: App {n}}}
  description: {{en_us: Does.}}
  port_map: "80{i:02d}"
{top}
"""
UMBREL_MANIFEST = """
manifestVersion: 1.1
id: {name}
category: files
name: App
version: "v1.2.3"
tagline: A tagline.
description: >-
  Long
  text
developer: Dev
website: https://example.com
dependencies: []
repo: https://example.com/x
port: {port}
gallery: [1.jpg, 2.jpg]
path: ""
defaultUsername: ""
defaultPassword: ""
{more}
"""


def build_casaos() -> Iterator[tuple[str, Files, str]]:
    """Yield (name, files, reason) of each entry."""
    for number, ((extra, top), reason) in enumerate(CASAOS):
        text = CASAOS_FILE.format(n=f"app{number}", i=number, extra=extra, top=top)
        yield f"app {number}", {f"Apps/App{number}/docker-compose.yml": text}, reason


def build_umbrel() -> Iterator[tuple[str, Files, str]]:
    """Yield (name, files, reason) of each entry."""
    for number, ((definition, more), reason) in enumerate(UMBREL):
        name = f"app-{number}"
        files = {
            f"{name}/umbrel-app.yml": UMBREL_MANIFEST.format(name=name, port=8100 + number, more=more),
            f"{name}/docker-compose.yml": definition.replace("NAME", name).replace("DIGEST", "a" * 64),
            f"{name}/exports.sh": "export X=1",
        }
        yield name, files, reason


def build_compose() -> Iterator[tuple[str, Files, str]]:
    """Yield (name, files, reason) of each entry."""
    for number, (text, reason) in enumerate(COMPOSE):
        yield f"app {number}", {f"app{number}/compose.yaml": text}, reason
