"""Choice of an app's main service among its databases and other helpers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.images import find_image
from services.catalog.domain.importers.draft import Draft, make_id
from services.catalog.domain.importers.volume_setup import PREPARER
from services.catalog.domain.renderer import compose

# Names of images without their registry and owner.
_DATABASES = re.compile(
    r".*postgres(?:ql)?.*|postgis|pgvector|timescaledb.*|pgvecto-rs|mysql.*|.*mariadb.*|percona.*|mssql.*|mongo(?:db)?|redis.*"
    r"|valkey.*|keydb|dragonfly|cassandra|couchdb|neo4j|clickhouse.*|influxdb|ferretdb|cockroach|arangodb|surrealdb|rethinkdb",
    re.IGNORECASE,
)
# Images that an app brings along; each may be the app itself where it is the only service.
_HELPERS = re.compile(
    r"memcached|rabbitmq|nats|.*kafka|zookeeper|elasticsearch.*|opensearch.*|meilisearch|typesense|qdrant|weaviate|milvus|chroma"
    r"|minio|mc|etcd|tika.*|gotenberg|.*chrome.*|chromium|browserless|docker-socket-proxy|tor|.*dind|busybox|alpine|curl|mailhog"
    r"|mailpit|smtp|postfix|cloudflared|watchtower|autoheal|.*exporter|.*-backup|clamav|guacd|pgbouncer|adminer|phpmyadmin"
    r"|pgadmin4?|redis-commander|mongo-express|certbot|traefik|ofelia",
    re.IGNORECASE,
)


def name_image(service: Mapping[str, Any]) -> str:
    """Return the last part of the name of a service's image."""
    image = find_image(str(service.get("image", "")).partition("$")[0].rstrip(":"))
    return image.name.rpartition("/")[2] if image else ""


def is_database(service: Mapping[str, Any]) -> bool:
    """Return whether a service is a database that others sign in to."""
    return bool(_DATABASES.fullmatch(name_image(service)))


def is_helper(service: Mapping[str, Any]) -> bool:
    """Return whether a service only serves the others of its app, by its image."""
    return is_database(service) or bool(_HELPERS.fullmatch(name_image(service)))


def find_main_service(draft: Draft, services: Mapping[str, Any]) -> str:
    """Return the service that is the app itself: the named one, else the likeliest."""
    if draft.main_service in services:
        return draft.main_service
    needed = {str(other) for service in services.values() for other in service.get("depends_on") or ()}
    words = {word for word in make_id(draft.id).split("-") if len(word) > 2}

    def rank(name: str) -> tuple[bool, bool, bool, bool, bool]:
        service = services[name]
        ports = compose.parse_ports(service.get("ports"))
        is_open = any(port.protocol == "tcp" and not port.is_loopback for port in ports)
        called = {*make_id(name).split("-"), *make_id(name_image(service)).split("-")}
        return (
            name == PREPARER or is_helper(service),
            not is_open,
            name not in draft.page_hints,
            not called & words,
            name in needed,
        )

    return min(services, key=rank)
