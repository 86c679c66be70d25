"""What well-known images listen on and need, as their makers document it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MISSING = re.compile(r"does-not-exist|no-such-(image|tag)")


@dataclass(frozen=True, slots=True)
class Image:
    """An image's ports by kind, its volumes, and the variables it cannot start without (any one suffices)."""

    http: tuple[int, ...] = ()
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    port_variable: str = "PORT"
    needs: tuple[str, ...] = ()
    complaint: str = ""

    def kind_of(self, port: int, proto: str, variables: Mapping[str, str]) -> str:
        """How the image behaves on a port: http, tcp, udp or closed."""
        if proto == "udp":
            return "udp" if port in self.udp or not self.udp else "closed"
        if port in self.http_ports(variables):
            return "http"
        return "tcp" if port in self.tcp else "closed"

    def http_ports(self, variables: Mapping[str, str]) -> tuple[int, ...]:
        """The HTTP ports, the first of which the image's port variable changes."""
        chosen = variables.get(self.port_variable, "")
        if self.http and chosen.isdigit():
            return (int(chosen), *self.http[1:])
        return self.http


UNKNOWN = Image(http=(8080,), volumes=("/data",))
POSTGRES = Image(
    tcp=(5432,),
    volumes=("/var/lib/postgresql/data",),
    needs=("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_HOST_AUTH_METHOD"),
    complaint="Error: Database is uninitialized and superuser password is not specified.",
)
MYSQL = Image(
    tcp=(3306,),
    volumes=("/var/lib/mysql",),
    needs=(
        "MYSQL_ROOT_PASSWORD",
        "MYSQL_ROOT_PASSWORD_FILE",
        "MYSQL_ALLOW_EMPTY_PASSWORD",
        "MYSQL_RANDOM_ROOT_PASSWORD",
    ),
    complaint="[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified",
)
MARIADB = Image(
    tcp=(3306,),
    volumes=("/var/lib/mysql",),
    needs=(
        *MYSQL.needs,
        "MARIADB_ROOT_PASSWORD",
        "MARIADB_ROOT_PASSWORD_FILE",
        "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
        "MARIADB_RANDOM_ROOT_PASSWORD",
    ),
    complaint=MYSQL.complaint,
)
KNOWN: Mapping[str, Image] = {
    "adminer": Image(http=(8080,)),
    "nginx": Image(http=(80,), volumes=("/usr/share/nginx/html",)),
    "httpd": Image(http=(80,), volumes=("/usr/local/apache2/htdocs",)),
    "caddy": Image(http=(80,), tcp=(443, 2019), udp=(443,), volumes=("/data", "/config")),
    "traefik": Image(http=(80, 8080), tcp=(443,)),
    "traefik/whoami": Image(http=(80,), port_variable="WHOAMI_PORT_NUMBER"),
    "wordpress": Image(http=(80,), volumes=("/var/www/html",)),
    "ghost": Image(http=(2368,), volumes=("/var/lib/ghost/content",)),
    "postgres": POSTGRES,
    "postgis/postgis": POSTGRES,
    "pgvector/pgvector": POSTGRES,
    "mysql": MYSQL,
    "mariadb": MARIADB,
    "linuxserver/mariadb": Image(tcp=(3306,), volumes=("/config",)),
    "redis": Image(tcp=(6379,), volumes=("/data",)),
    "valkey/valkey": Image(tcp=(6379,), volumes=("/data",)),
    "memcached": Image(tcp=(11211,)),
    "mongo": Image(tcp=(27017,), volumes=("/data/db",)),
    "rabbitmq": Image(http=(15672,), tcp=(5672,), volumes=("/var/lib/rabbitmq",)),
    "nats": Image(http=(8222,), tcp=(4222, 6222)),
    "eclipse-mosquitto": Image(tcp=(1883, 9001), volumes=("/mosquitto/data",)),
    "gitea/gitea": Image(
        http=(3000,), tcp=(22, 2222), volumes=("/data",), port_variable="GITEA__server__HTTP_PORT"
    ),
    "forgejo/forgejo": Image(http=(3000,), tcp=(22,), volumes=("/data",)),
    "vaultwarden/server": Image(http=(80,), tcp=(3012,), volumes=("/data",), port_variable="ROCKET_PORT"),
    "louislam/uptime-kuma": Image(http=(3001,), volumes=("/app/data",), port_variable="UPTIME_KUMA_PORT"),
    "n8nio/n8n": Image(http=(5678,), volumes=("/home/node/.n8n",), port_variable="N8N_PORT"),
    "grafana/grafana": Image(
        http=(3000,), volumes=("/var/lib/grafana",), port_variable="GF_SERVER_HTTP_PORT"
    ),
    "grafana/grafana-oss": Image(
        http=(3000,), volumes=("/var/lib/grafana",), port_variable="GF_SERVER_HTTP_PORT"
    ),
    "prom/prometheus": Image(http=(9090,), volumes=("/prometheus",)),
    "nextcloud": Image(http=(80,), tcp=(9000,), volumes=("/var/www/html",)),
    "jellyfin/jellyfin": Image(http=(8096,), tcp=(8920,), udp=(7359, 1900), volumes=("/config", "/cache")),
    "pihole/pihole": Image(
        http=(80,),
        tcp=(53, 443),
        udp=(53, 67, 123),
        volumes=("/etc/pihole",),
        port_variable="FTLCONF_webserver_port",
    ),
    "adguard/adguardhome": Image(
        http=(3000, 80), tcp=(53, 443, 853), udp=(53, 67, 68, 443), volumes=("/opt/adguardhome/work",)
    ),
    "portainer/portainer-ce": Image(http=(9000,), tcp=(8000, 9443), volumes=("/data",)),
    "homeassistant/home-assistant": Image(http=(8123,), volumes=("/config",)),
    "home-assistant/home-assistant": Image(http=(8123,), volumes=("/config",)),
    "minio/minio": Image(http=(9000, 9001), volumes=("/data",)),
    "filebrowser/filebrowser": Image(http=(80,), volumes=("/srv", "/database", "/config")),
    "syncthing/syncthing": Image(http=(8384,), tcp=(22000,), udp=(22000, 21027), volumes=("/var/syncthing",)),
    "freshrss/freshrss": Image(http=(80,), volumes=("/var/www/FreshRSS/data",)),
    "binwiederhier/ntfy": Image(http=(80,), volumes=("/var/cache/ntfy",)),
    "actualbudget/actual-server": Image(http=(5006,), volumes=("/data",), port_variable="ACTUAL_PORT"),
    "linkwarden/linkwarden": Image(http=(3000,), volumes=("/data/data",)),
    "miniflux/miniflux": Image(http=(8080,)),
    "excalidraw/excalidraw": Image(http=(80,)),
    "gethomepage/homepage": Image(http=(3000,), volumes=("/app/config",)),
    "heimdall": Image(http=(80,), tcp=(443,), volumes=("/config",)),
    "mealie-recipes/mealie": Image(http=(9000,), volumes=("/app/data",)),
    "dozzle": Image(http=(8080,)),
    "amir20/dozzle": Image(http=(8080,)),
    "advplyr/audiobookshelf": Image(http=(80,), volumes=("/config", "/metadata")),
    "baserow/baserow": Image(http=(80,), tcp=(443,), volumes=("/baserow/data",), port_variable=""),
    "calibre-web": Image(http=(8083,), volumes=("/config",), port_variable=""),
    "dgtlmoon/changedetection.io": Image(http=(5000,), volumes=("/datastore",)),
    "couchdb": Image(http=(5984,), volumes=("/opt/couchdb/data",), port_variable=""),
    "directus/directus": Image(http=(8055,), volumes=("/directus/database", "/directus/uploads")),
    "etherpad/etherpad": Image(http=(9001,), volumes=("/opt/etherpad-lite/var",)),
    "gotify/server": Image(http=(80,), volumes=("/app/data",), port_variable="GOTIFY_SERVER_PORT"),
    "grocy": Image(http=(80,), volumes=("/config",), port_variable=""),
    "healthchecks/healthchecks": Image(http=(8000,), volumes=("/data",), port_variable=""),
    "influxdb": Image(http=(8086,), volumes=("/var/lib/influxdb2",), port_variable=""),
    "corentinth/it-tools": Image(http=(80,), port_variable=""),
    "jaegertracing/all-in-one": Image(http=(16686,), tcp=(4317, 4318, 14250), port_variable=""),
    "fallenbagel/jellyseerr": Image(http=(5055,), volumes=("/app/config",)),
    "jupyter/scipy-notebook": Image(
        http=(8888,), volumes=("/home/jovyan/work",), port_variable="JUPYTER_PORT"
    ),
    "kanboard/kanboard": Image(http=(80,), tcp=(443,), volumes=("/var/www/app/data",), port_variable=""),
    "jvmilazz0/kavita": Image(http=(5000,), volumes=("/kavita/config",), port_variable=""),
    "gotson/komga": Image(http=(25600,), volumes=("/config",), port_variable="SERVER_PORT"),
    "sissbruecker/linkding": Image(
        http=(9090,), volumes=("/etc/linkding/data",), port_variable="LD_SERVER_PORT"
    ),
    "grafana/loki": Image(http=(3100,), tcp=(9095,), volumes=("/loki",), port_variable=""),
    "getmeili/meilisearch": Image(http=(7700,), volumes=("/meili_data",), port_variable=""),
    "neosmemo/memos": Image(http=(5230,), volumes=("/var/opt/memos",), port_variable="MEMOS_PORT"),
    "deluan/navidrome": Image(http=(4533,), volumes=("/data",), port_variable="ND_PORT"),
    "nodered/node-red": Image(http=(1880,), volumes=("/data",)),
    "dpage/pgadmin4": Image(
        http=(80,), tcp=(443,), volumes=("/var/lib/pgadmin",), port_variable="PGADMIN_LISTEN_PORT"
    ),
    "phpmyadmin": Image(http=(80,), port_variable="APACHE_PORT"),
    "muchobien/pocketbase": Image(http=(8090,), volumes=("/pb_data",), port_variable=""),
    "prowlarr": Image(http=(9696,), volumes=("/config",), port_variable=""),
    "radarr": Image(http=(7878,), volumes=("/config",), port_variable=""),
    "registry": Image(http=(5000,), volumes=("/var/lib/registry",), port_variable=""),
    "sonarr": Image(http=(8989,), volumes=("/config",), port_variable=""),
    "tautulli/tautulli": Image(http=(8181,), volumes=("/config",), port_variable=""),
    "transmission": Image(http=(9091,), tcp=(51413,), udp=(51413,), volumes=("/config",), port_variable=""),
    "verdaccio/verdaccio": Image(
        http=(4873,), volumes=("/verdaccio/storage",), port_variable="VERDACCIO_PORT"
    ),
    "victoriametrics/victoria-metrics": Image(
        http=(8428,), volumes=("/victoria-metrics-data",), port_variable=""
    ),
    "vikunja/vikunja": Image(http=(3456,), volumes=("/app/vikunja/files",), port_variable=""),
    "wallabag/wallabag": Image(http=(80,), volumes=("/var/www/wallabag/data",), port_variable=""),
    "henrygd/beszel": Image(http=(8090,), volumes=("/beszel_data",), port_variable=""),
    "vectorim/element-web": Image(http=(80,), port_variable="ELEMENT_WEB_PORT"),
    "sysadminsmedia/homebox": Image(http=(7745,), volumes=("/data",), port_variable="HBOX_WEB_PORT"),
    "alexta69/metube": Image(http=(8081,), volumes=("/downloads",)),
    "ollama/ollama": Image(http=(11434,), volumes=("/root/.ollama",), port_variable=""),
    "tailscale/tailscale": Image(http=(9002,), volumes=("/var/lib/tailscale",), port_variable=""),
    "hello-world": Image(),
    "alpine": Image(),
    "debian": Image(),
    "busybox": Image(),
    "ubuntu": Image(),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """An image reference in parts; `repository` is without a registry and `library/`."""

    registry: str
    repository: str
    tag: str

    def full(self) -> str:
        return f"{self.repository}{self.tag}" if self.tag.startswith("@") else f"{self.repository}:{self.tag}"


REFERENCE = re.compile(r"[a-zA-Z0-9.:_/-]+(?:@sha256:[0-9a-f]{64})?")


def parse_reference(text: str) -> Reference:
    """Read `[registry/]repository[:tag][@digest]`.

    Raises:
        ValueError: it is none, worded as Docker does.
    """
    if not REFERENCE.fullmatch(text) or text.startswith(("-", ":", "/")):
        raise ValueError("invalid reference format")
    name, at, digest = text.partition("@")
    head, slash, tail = name.partition("/")
    is_registry = bool(slash) and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, tail) if is_registry else ("docker.io", name)
    repository, _, tag = path.rpartition(":") if ":" in path else (path, "", "latest")
    if repository != repository.lower():
        raise ValueError("invalid reference format: repository name must be lowercase")
    return Reference(registry, repository.removeprefix("library/"), f"@{digest}" if at else tag)


def find_image(text: str) -> Image | None:
    """What is known of an image; None when it is not a well-known one."""
    repository = parse_reference(text).repository
    return KNOWN.get(repository) or KNOWN.get(repository.replace("linuxserver/", ""))
