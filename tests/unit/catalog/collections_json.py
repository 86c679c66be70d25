"""Portainer and Runtipi collections as they are in the field, each entry with a quirk.

An entry is what it says and the reason why it must be left out, empty where it must be published.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Files = dict[str, str]
Quirk = tuple[Any, str]

# One entry, one line.
# fmt: off
PORTAINER: list[Quirk] = [
    ({"ports": ["80/tcp"]}, ""),
    ({"ports": ["8080:80"]}, ""),
    ({"ports": [" 8080:80/tcp "]}, ""),
    ({"ports": ["8080:80/TCP"]}, ""),
    ({"ports": ["20000-20010:20000-20010/udp", "80:80"]}, ""),
    ({"ports": [{"8080": "80/tcp"}]}, ""),
    ({"ports": ["0.0.0.0:80:80/tcp"]}, ""),
    ({"ports": ["8080/80"]}, "not a port"),
    ({"ports": [8080]}, ""),
    ({"ports": ["8080:80/tcp/udp"]}, ""),
    ({"ports": ["53:53/tcp", "53:53/udp"]}, ""),
    ({"ports": [":80"]}, ""),
    ({"ports": ["8080:80/tcp,udp"]}, ""),
    ({"ports": [""]}, ""),
    ({"volumes": [{"container": "/x", "bind": "/srv/x"}]}, ""),
    ({"volumes": [{"container": "/x", "bind": "!config/x"}]}, ""),
    ({"volumes": [{"container": "/x ", "bind": "/portainer/TV"}]}, ""),
    ({"volumes": ["/x"]}, ""),
    ({"volumes": [{"container": "/etc/localtime", "bind": "/etc/localtime", "readonly": True}]}, ""),
    ({"volumes": [{"container": "/x", "bind": "named_volume"}]}, ""),
    ({"volumes": [{"container": "/x", "bind": "${CONFIG}/x"}]}, ""),
    ({"volumes": [{"container": "/x:ro"}]}, ""),
    ({"volumes": [{"container": "C:\\data"}]}, "no path"),
    ({"volumes": [{"container": "/var/run/docker.sock", "bind": "/var/run/docker.sock"}]}, "Docker socket"),
    ({"env": [{"name": "A B", "label": "x"}]}, ""),
    ({"env": [{"name": "PORT", "default": 8080}]}, ""),
    ({"env": [{"name": "X", "set": "1"}]}, ""),
    ({"env": [{"name": "X", "preset": True, "default": True}]}, ""),
    ({"env": [{"name": "X", "label": "L" * 400}]}, ""),
    ({"env": [{"name": "X", "select": [{"text": "a", "value": "a"}, {"text": "b", "value": "a"}]}]}, ""),
    ({"env": [{"name": "X", "select": [{"text": "a", "value": ""}]}]}, ""),
    ({"env": [{"name": "X"}, {"name": "X"}]}, ""),
    ({"env": [{"label": "noname"}]}, ""),
    ({"env": None}, ""),
    ({"env": [{"name": "PASS", "default": "a" * 9000}]}, ""),
    ({"env": [{"name": "X", "default": "has $dollar ${x}"}]}, ""),
    ({"env": [{"name": "X", "default": "multi\nline\tx"}]}, ""),
    ({"env": [{"name": "WEBPASSWORD", "default": "admin"}]}, ""),
    ({"image": "acme/a"}, ""),
    ({"image": "acme/a:latest"}, ""),
    ({"image": "Acme/A:1"}, "not an image reference"),
    ({"image": " acme/a:1 "}, ""),
    ({"image": "lscr.io/linuxserver/a"}, ""),
    ({"image": "localhost:5000/a:1"}, ""),
    ({"image": "a@sha256:DIGEST"}, ""),
    ({"image": "acme/a:1@sha256:DIGEST"}, ""),
    ({"image": "docker.io/library/nginx:alpine"}, ""),
    ({"image": "https://hub.docker.com/r/a/b"}, "not an image reference"),
    ({"registry": "ghcr.io"}, ""),
    ({"registry": "https://ghcr.io/"}, ""),
    ({"categories": ["Media", "TV & Movies:"]}, ""),
    ({"categories": "Media"}, ""),
    ({"categories": [None]}, ""),
    ({"title": ""}, ""),
    ({"title": "   "}, ""),
    ({"title": "Ünïcode app ☃"}, ""),
    ({"title": "a" * 300}, ""),
    ({"name": "with space"}, ""),
    ({"description": None}, ""),
    ({"description": "<p>html</p>" * 900}, ""),
    ({"note": "<b>x</b>" * 500}, ""),
    ({"logo": "http://x/y.png"}, ""),
    ({"logo": "https://x/y.png"}, ""),
    ({"logo": "data:image/png;base64,xx"}, ""),
    ({"restart_policy": "unless_stopped"}, ""),
    ({"command": "--a $B '--c d'"}, ""),
    ({"command": 'sh -c "echo \'x'}, "none that Compose reads"),
    ({"command": ["a", "b"]}, ""),
    ({"hostname": "x_y"}, ""),
    ({"hostname": "a" * 70}, ""),
    ({"labels": [{"name": "a", "value": "b"}]}, ""),
    ({"network": "bridge"}, ""),
    ({"network": "proxynet"}, ""),
    ({"interactive": True}, ""),
    ({"platform": "Linux"}, ""),
    ({"platform": ""}, ""),
    ({"platform": "windows"}, "windows"),
    ({"privileged": True}, "privileged"),
    ({"network": "host"}, ""),
    ({"type": "1"}, ""),
    ({"type": 3, "stackFile": "version: '3'\nservices:\n  a:\n    image: x/y\n    network_mode: bridge\n"}, ""),
    ({"type": 3, "stackFileContent": "services:\n  a: {image: x/y:1}\n"}, ""),
    ({"type": 3, "repository": {"url": "https://github.com/a/b", "stackfile": "x/docker-compose.yml"}}, ""),
    ({"type": 2}, "swarm"),
    ({"administrator_only": True, "maintainer": "x"}, ""),
    ({"ports": ["8080:80/tcp"], "image": "acme/a:1.0", "env": [{"name": "PUID", "label": "PUID", "default": "1000"}, {"name": "TZ", "default": "America/New_York"}], "volumes": [{"bind": "/portainer/Files/AppData/Config/a", "container": "/config"}, {"bind": "/portainer/Downloads", "container": "/downloads"}]}, ""),
]

RUNTIPI: list[Quirk] = [
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": "80"}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": None}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": [{"key": "A", "value": "${A_B}"}, {"key": "TZ", "value": "${TZ}"}]}], "fields": [{"type": "random", "label": "x", "env_variable": "A_B", "min": 32}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": {"A": "1", "B": "${X-y}"}}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "volumes": [{"hostPath": "${APP_DATA_DIR}/data/x", "containerPath": "/x"}, {"hostPath": "/etc/localtime", "containerPath": "/etc/localtime", "readOnly": True}, {"hostPath": "${ROOT_FOLDER_HOST}/media/data/movies", "containerPath": "/m", "shared": True}]}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "dependsOn": ["db"]}, {"name": "db", "image": "postgres:16", "environment": [{"key": "POSTGRES_PASSWORD", "value": "tipi"}], "volumes": [{"hostPath": "${APP_DATA_DIR}/data/pg", "containerPath": "/var/lib/postgresql/data"}], "healthCheck": {"test": "pg_isready -U tipi", "interval": "5s", "retries": 5, "timeout": "5s"}}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "dependsOn": {"db": {"condition": "service_healthy"}}}, {"name": "db", "image": "redis:7-alpine", "command": "redis-server --requirepass ${P}"}], "fields": [{"type": "password", "label": "P", "env_variable": "P", "required": True}]}, "nothing checks the health of db"),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "addPorts": [{"containerPort": 53, "hostPort": 53, "tcp": True, "udp": True}, {"containerPort": 443, "hostPort": "${HTTPS_PORT-443}", "interface": "127.0.0.1"}]}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "command": ["a", "b"], "extraHosts": ["h:host-gateway"], "extraLabels": {"a": True}, "user": "1000:1000"}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "networkMode": "host"}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "privileged": True}]}, "privileged"),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "capAdd": ["NET_ADMIN"], "devices": ["/dev/net/tun:/dev/net/tun"], "sysctls": {"net.ipv4.ip_forward": 1}}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]}}}}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "logging": {"driver": "json-file"}, "ulimits": {"nofile": {"soft": 1, "hard": 2}}, "ulimitsX": 1, "shmSize": "1g", "stopSignal": "SIGINT", "stopGracePeriod": "1m", "tty": True, "stdinOpen": True, "readOnly": True, "securityOpt": ["no-new-privileges:true"], "hostname": "x", "workingDir": "/x", "entrypoint": "sh", "pid": "host"}]}, "pid of its host"),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80}], "fields": [{"type": "text", "label": "x", "env_variable": "V_TEXT", "required": False}, {"type": "password", "label": "x", "env_variable": "V_PASSWORD", "required": False}, {"type": "boolean", "label": "x", "env_variable": "V_BOOLEAN", "required": False}, {"type": "number", "label": "x", "env_variable": "V_NUMBER", "required": False}, {"type": "email", "label": "x", "env_variable": "V_EMAIL", "required": False}, {"type": "url", "label": "x", "env_variable": "V_URL", "required": False}, {"type": "ip", "label": "x", "env_variable": "V_IP", "required": False}, {"type": "fqdn", "label": "x", "env_variable": "V_FQDN", "required": False}, {"type": "fqdnip", "label": "x", "env_variable": "V_FQDNIP", "required": False}, {"type": "random", "label": "x", "env_variable": "V_RANDOM", "required": False}, {"type": "select", "label": "x", "env_variable": "V_SELECT", "required": False}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": [{"key": "X", "value": "${S}"}, {"key": "N", "value": "${N}"}, {"key": "B", "value": "${B}"}]}], "fields": [{"type": "text", "label": "x", "env_variable": "S", "options": [{"label": "a", "value": "1"}, {"label": "b", "value": "2"}], "default": "1"}, {"type": "number", "label": "n", "env_variable": "N", "default": 5, "min": 1, "max": 9}, {"type": "boolean", "label": "b", "env_variable": "B", "default": True}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": [{"key": "X", "value": "${S}"}]}], "fields": [{"type": "text", "label": "x", "env_variable": "S", "regex": "^(?!x).*$", "pattern_error": "x", "required": True, "hint": "h", "placeholder": "p"}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": [{"key": "X", "value": "${S}"}]}], "fields": [{"type": "random", "label": "x", "env_variable": "S", "min": 64, "encoding": "base64"}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": [{"key": "X", "value": "${S}"}]}], "fields": [{"type": "password", "label": "x", "env_variable": "S", "min": 8, "max": 4}]}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": [{"key": "X", "value": 5}, {"key": "Y", "value": True}, {"key": "Z"}]}]}, ""),
    ({"yml": '\nversion: "3.9"\nservices:\n  NAME:\n    container_name: NAME\n    image: acme/x:1\n    restart: unless-stopped\n    ports: ["${APP_PORT}:80"]\n    volumes: ["${APP_DATA_DIR}/data:/data", "${APP_DATA_DIR}/config:/config:ro"]\n    environment: ["TZ=${TZ}", "A=${APP_DOMAIN}", "P=${X_PASSWORD}"]\n    networks: [tipi_main_network]\n    labels:\n      traefik.enable: true\n      traefik.http.routers.NAME-insecure.rule: Host(`${APP_DOMAIN}`)\n      runtipi.managed: true\n'}, ""),
    ({"yml": '\nservices:\n  NAME:\n    image: acme/x:1\n    ports: ["${APP_PORT}:80", "53:53/udp", "${OTHER_PORT:-99}:99"]\n    x-runtipi: {internal_port: 80, is_main: true}\nx-runtipi: {schema_version: 2}\n'}, ""),
    ({"yml": '\nservices:\n  NAME:\n    image: acme/x:1\n    networks: {tipi_main_network: {gw_priority: 0}}\n    environment: {DB: "postgres://tipi:${DB_PW}@db:5432/x"}\n    depends_on: {db: {condition: service_healthy}}\n    x-runtipi: {internal_port: 3000, is_main: true}\n  db:\n    image: postgres:16\n    environment: {POSTGRES_PASSWORD: "${DB_PW}"}\n    volumes: ["${APP_DATA_DIR}/data/db:/var/lib/postgresql/data"]\nx-runtipi: {schema_version: 2}\n'}, "nothing checks the health of db"),
    ({"yml": "services:\n  NAME:\n    image: acme/x:1\n    network_mode: host\n"}, ""),
    ({}, "no compose definition"),
    ({"js": [{"name": "main-1", "image": "acme/x:1", "isMain": True, "internalPort": 80}, {"name": "x.y", "image": "a/b:1"}], "deprecated": True}, "no longer available"),
    ({"js": [{"name": "App_Name", "image": "acme/x:1", "isMain": True, "internalPort": 80}], "categories": ["media", "utilities"], "port": None}, ""),
    ({"js": [{"name": "main", "image": "acme/x", "isMain": True, "internalPort": 80}], "version": "", "name": "N" * 200, "description": "D" * 9000, "website": None, "source": ""}, ""),
    ({"js": [{"name": "main", "image": "acme/x:1", "isMain": True, "internalPort": 80, "environment": [{"key": "A", "value": "$$HOME ${APP_ID} ${LOCAL_DOMAIN} ${INTERNAL_IP} $APP_PORT"}]}], "port": 70000}, ""),
]
"""Services of the dynamic form (`js`) or a compose file (`yml`), and what config.json says besides."""

# fmt: on


def build_portainer() -> Iterator[tuple[str, Files, str]]:
    """Yield (name, files, reason) of each entry; all are in one file."""
    common = {"type": 1, "description": "x", "image": "acme/a:1", "platform": "linux"}
    for number, (record, reason) in enumerate(PORTAINER):
        template = {**common, "title": f"App {number}", **record}
        template["image"] = str(template["image"]).replace("DIGEST", "a" * 64)
        files = {f"{number}.json": json.dumps({"version": "3", "templates": [template]})}
        if "repository" in record:
            files["a/b/x/docker-compose.yml"] = "services:\n  a: {image: x/y:1}\n"
        yield f"app {number}", files, reason


def build_runtipi() -> Iterator[tuple[str, Files, str]]:
    """See `build_portainer`."""
    for number, (entry, reason) in enumerate(RUNTIPI):
        name = f"app{number}"
        about = {key: value for key, value in entry.items() if key not in {"js", "yml", "fields"}}
        config = {
            "id": name, "name": f"App {number}", "available": True, "port": 8000 + number, "tipi_version": 3,
            "version": "1.2.3", "categories": ["utilities"], "description": "d", "short_desc": "s", "author": "a",
            "source": "https://example.com/a", "form_fields": list(entry.get("fields", ())),
            "supported_architectures": ["arm64", "amd64"], "created_at": 1691943801422, "dynamic_config": True, **about,
        }  # fmt: skip
        files = {
            f"apps/{name}/config.json": json.dumps(config),
            f"apps/{name}/metadata/description.md": "# x",
        }
        if "js" in entry:
            files[f"apps/{name}/docker-compose.json"] = json.dumps(
                {"schemaVersion": 2, "services": entry["js"]}
            )
        if "yml" in entry:
            files[f"apps/{name}/docker-compose.yml"] = entry["yml"].replace("NAME", name)
        yield name, files, reason
