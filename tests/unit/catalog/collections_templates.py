"""Coolify's and Dokploy's collections as they are in the field; see `collections_compose` for what an entry is."""

from __future__ import annotations

import json
from collections.abc import Iterator

Files = dict[str, str]

# One entry, one line.
# fmt: off
COOLIFY: list[tuple[str, str]] = [
    ('# documentation: https://e.com/d?utm_source=x\n# slogan: "Does."\n# tags: a, b\n\nservices:\n  app:\n    image: a/b:1\n    environment:\n      - SERVICE_URL_APP_3000\n      - URL=$SERVICE_URL_APP\n', ""),
    ("services:\n  app:\n    image: a/b:1\n    environment:\n      - SERVICE_FQDN_APP=/api\n      - DB=postgres://$SERVICE_USER_DB:${SERVICE_PASSWORD_64_DB}@db/x\n  db:\n    image: postgres:16\n    environment: ['POSTGRES_USER=$SERVICE_USER_DB', 'POSTGRES_PASSWORD=${SERVICE_PASSWORD_64_DB}']\n", ""),
    ("services:\n  app:\n    image: a/b:1\n    exclude_from_hc: true\n    volumes:\n      - {type: bind, source: ./a.toml, target: /a.toml, content: 'key = \"${SERVICE_HEX_32_KEY}\"'}\n      - ./data:/data\n", ""),
    ("# ignore: true\nservices:\n  app: {image: 'a/b:1'}\n", "is marked as ignored"),
    ("services:\n  app:\n    image: a/b:1\n    environment: ['KEY=${SERVICE_SUPABASEANON_KEY}']\n", "a token that Coolify signs"),
    ("services:\n  app:\n    image: a/b:1\n    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n", "Docker socket"),
]
DOKPLOY: list[tuple[str, str, str]] = [
    ('[variables]\nmain_domain = "${domain}"\npw = "${password:24}"\n[config]\nenv = ["URL=https://${main_domain}/x", "PW=${pw}", "PLAIN=1"]\n[[config.domains]]\nserviceName = "app"\nport = 3_000\nhost = "${main_domain}"\n', "services:\n  app:\n    image: a/b:1\n    expose: [3000]\n    environment: ['URL=${URL}', PW, PLAIN]\n", ""),
    ('[config.env]\nA = true\nB = "${hash:16}"\n[[config.mounts]]\nfilePath = "/x/a.conf"\ncontent = "secret $B ${missing}"\n', "services:\n  app:\n    image: a/b:1\n    env_file: [.env]\n    volumes: ['../files/x/a.conf:/a.conf', '../files/data:/data']\n", ""),
    ("[config\n", "services: {app: {image: 'a/b:1'}}", "cannot be read"),
    ('[variables]\na = "${b}"\nb = "${a}"\n[config]\nenv = ["A=${a}"]\n', "services: {app: {image: 'a/b:1'}}", "names itself"),
    ('[config]\nenv = ["A=${jwt:x:claims}"]\n', "services: {app: {image: 'a/b:1'}}", "that Dokploy signs"),
    ("", "services: {app: {image: 'a/b:1', privileged: true}}", "privileged"),
]
# fmt: on


def build_coolify() -> Iterator[tuple[str, Files, str]]:
    """Yield (name, files, reason) of each entry."""
    for number, (text, reason) in enumerate(COOLIFY):
        yield f"app{number}", {f"templates/compose/app{number}.yaml": text}, reason


def build_dokploy() -> Iterator[tuple[str, Files, str]]:
    """See `build_coolify`."""
    for number, (template, compose, reason) in enumerate(DOKPLOY):
        name = f"app{number}"
        meta = {
            "id": name,
            "name": "App",
            "version": "1.2",
            "description": "Does.",
            "links": {},
            "tags": ["x"],
        }
        files = {"template.toml": template, "docker-compose.yml": compose, "meta.json": json.dumps(meta)}
        yield name, {f"blueprints/{name}/{path}": text for path, text in files.items()}, reason
