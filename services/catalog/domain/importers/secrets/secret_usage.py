"""Secrets in clear in a definition, and the services that use each of them.

A secret may be generated only if every service that needs it gets it. A database whose password no other service
gets has clients that rely on a default; so has a client with a password that its database does not get.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.domain.importers.draft import Draft, make_id, take_list, take_mapping
from services.catalog.domain.importers.main_service import is_database, is_helper, name_image
from services.catalog.domain.importers.volume_setup import PREPARER
from services.catalog.domain.item_files.document import Value
from services.catalog.domain.names import is_secret_name
from services.catalog.domain.renderer.interpolation import Variable, split_variables

# Values of variables with a secret's name that switch something, and are no secret.
_PLAIN_WORDS = frozenset(
    {"true", "false", "yes", "no", "none", "null", "0", "1", "file", "disabled", "enabled", "user_provided", "user-provided",
     "unset", "undefined", "optional", "n/a"}
)  # fmt: skip
_HARD_CODED_MIN = 3  # characters; shorter values are switches and numbers
# Names of services that issue keys, and of values that are computed from others.
_GIVEN_OUT = re.compile(
    r"(?:.*_)?(?:OPENAI|ANTHROPIC|CLAUDE|GEMINI|GOOGLE|GROQ|MISTRAL|DEEPSEEK|OPENROUTER|HUGGING_?FACE|AZURE|GITHUB|GITLAB"
    r"|CLOUDFLARE|CF|SMTP|E?MAIL|VAPID|ZOOM|MS_GRAPH|STRIPE|TELEGRAM|DISCORD|SLACK|STEAM|PLEX|TMDB|IGDB|SPOTIFY|LASTFM|TAILSCALE|TS|NGROK"
    r"|BREVO|SENDGRID|MAILGUN|DATADOG|DD|DUCKDNS|NOIP|WOWZA|LOGSENE|SPM)_.*|.*_HASH|.*LICEN[CS]E.*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z]+(?:[_-][A-Za-z]+)*")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Names of passwords with which people sign in; replaced apart from a database's password of equal value.
_LOGIN = re.compile(r"ADMIN|LOGIN|SUPERUSER|INITIAL", re.IGNORECASE)
_OF_DATABASE = re.compile(
    r"(?:^|_)(?:DB|DATABASE|SQL|PG|POSTGRES(?:QL)?|MYSQL|MARIADB|MONGO(?:DB)?|REDIS|VALKEY)", re.IGNORECASE
)
# Databases that have no users: a client knows only the password.
_CACHES = re.compile(r"redis.*|valkey.*|keydb|dragonfly|memcached", re.IGNORECASE)
# Clients sign in as the user, so the password of root may be generated without any of them.
_ROOT = re.compile(r"(?:MYSQL|MARIADB)_ROOT_PASSWORD", re.IGNORECASE)
_USER = re.compile(r"(?:MYSQL|MARIADB)_PASSWORD", re.IGNORECASE)
# Tor's configuration has a hash of the password, which cannot be computed here.
_TOR_HASH = "HashedControlPassword"


@dataclass(slots=True)
class Secret:
    """A secret in clear.

    Attributes:
        value: the text itself.
        keys: the services and their variables that contain it.
        names: the variables of the definition that have it as their default.
        is_login: whether people sign in with it, where a database has the same.
    """

    value: str
    is_login: bool = False
    keys: list[tuple[str, str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def is_given_out(name: str) -> bool:
    """Return whether another service issues a secret: a generated one would be worse than none."""
    return is_secret_name(name) and bool(_GIVEN_OUT.fullmatch(name))


def is_hard_coded(key: str, value: Value) -> bool:
    """Return whether the value of a variable is a secret in clear."""
    text = str(value)
    if not is_secret_name(key) or "$" in text or isinstance(value, bool) or value is None:
        return False
    plain = text.lower() in _PLAIN_WORDS or text.startswith("/") or bool(_ADDRESS.match(text))
    return len(text) >= _HARD_CODED_MIN and not plain


def find_secrets(draft: Draft, services: Mapping[str, Any]) -> list[Secret]:
    """Return the secrets in clear, equal ones once."""
    found: dict[tuple[str, bool], Secret] = {}

    def add(value: str, key: str, service: str) -> Secret:
        is_login = (
            bool(_LOGIN.search(key)) and not _OF_DATABASE.search(key) and not _serves(service, services)
        )
        return found.setdefault((value, is_login), Secret(value, is_login))

    for service, key, value in _list_pairs(services):
        if is_hard_coded(key, value):
            add(str(value), key, service).keys.append((service, key))
            continue
        for variable in _list_defaults(draft, value):
            default = draft.replaced.get(variable.name, variable.alternative)
            secret = add(default, variable.name, service)
            secret.keys.append((service, variable.name))
            if variable.name not in secret.names:
                secret.names.append(variable.name)
    return _join_lonely_logins([one for one in found.values() if not _is_switch(one)])


def _join_lonely_logins(secrets: list[Secret]) -> list[Secret]:
    """Return the secrets with those that people sign in with apart only where something else has the same value."""
    shared = {one.value for one in secrets if not one.is_login}
    for one in secrets:
        one.is_login = one.is_login and one.value in shared
    return secrets


def _is_switch(secret: Secret) -> bool:
    """Return whether a word is a setting: the same for several keys of other services."""
    issuers = {key.split("_")[0].upper() for _, key in secret.keys if is_given_out(key)}
    return len(issuers) > 1 and bool(_WORD.fullmatch(secret.value))


def _list_defaults(draft: Draft, value: Value) -> Iterator[Variable]:
    """Yield the variables in a text whose default, as they or a file of values have it, is a secret in clear."""
    declared = {record["name"] for record in draft.inputs} | draft.known.keys()
    for part in split_variables(value) if isinstance(value, str) and "$" in value else ():
        if isinstance(part, str):
            continue
        if part.name in draft.replaced or (
            part.operator in {":-", "-"}
            and part.name not in declared
            and is_hard_coded(part.name, part.alternative)
        ):
            yield part


def _list_pairs(services: Mapping[str, Any]) -> Iterator[tuple[str, str, Value]]:
    for name, service in services.items():
        for key, value in take_mapping(service.get("environment")).items():
            yield name, str(key), value


def may_be_generated(
    secret: Secret, services: Mapping[str, Any], *, users: Collection[str], texts: Collection[str]
) -> bool:
    """Return whether every service that needs a secret gets it.

    Args:
        secret: the one that would be generated.
        services: of the definition.
        users: the services among them that get it in any way.
        texts: the files of the definition.
    """
    if all(is_given_out(key) for _, key in secret.keys):
        return True
    keys = {key for _, key in secret.keys}
    if any("TOR" in key.upper() for key in keys) and any(_TOR_HASH in text for text in texts):
        return False  # the file has the hash of the collection's own
    servers = {name for name in users if _serves(name, services)}
    clients = set(users) - servers
    apps = {name for name in services if name != PREPARER and not _serves(name, services)}
    if servers and not clients and apps:
        return all(_ROOT.fullmatch(key) for key in keys) and _have_user(services, servers)
    return not any(
        _names_server(key, services, users=users) for service, key in secret.keys if service in clients
    )


def _serves(name: str, services: Mapping[str, Any]) -> bool:
    """Return whether others sign in to a service: by its image, or by its name."""
    service = services.get(name, {})
    words = set(make_id(name).split("-"))
    return is_helper(service) or (
        len(services) > 1 and bool(words & {"db", "database", "postgres", "mysql", "redis"})
    )


def _have_user(services: Mapping[str, Any], servers: Collection[str]) -> bool:
    return any(_USER.fullmatch(key) for service, key, _ in _list_pairs(services) if service in servers)


def _names_server(key: str, services: Mapping[str, Any], *, users: Collection[str]) -> bool:
    """Return whether a client's variable is about a service that does not get its value."""
    words = set(make_id(key).split("-"))
    about = set()
    for name, service in services.items():
        if not _serves(name, services):
            continue
        image = name_image(service)
        called = {*make_id(name).split("-"), *make_id(image).split("-")} - {"server", "data", "app"}
        if is_database(service) and not _CACHES.fullmatch(image):
            called |= {"db", "database", "pg", "sql"}
        if called & words:
            about.add(name)
    return bool(about) and not about & set(users)


def list_plain_values(services: Mapping[str, Any]) -> set[str]:
    """Return words that are no secrets though a secret may be equal to one: names of services, users, databases."""
    plain = {
        str(value) for _, key, value in _list_pairs(services) if value is not None and not is_secret_name(key)
    }
    return plain | {str(name) for name in services} | {str(s.get("hostname", "")) for s in services.values()}


def list_words(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of a service's commands and health check."""
    for key in ("command", "entrypoint"):
        yield from map(str, take_list(service.get(key)))
    yield from map(str, take_list(take_mapping(service.get("healthcheck")).get("test")))
