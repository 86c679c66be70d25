"""Replacement of hard-coded secrets by generated inputs: in all services that use a secret, or in none."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from services.catalog.domain.importers.draft import Draft, RefusedEntryError, take_mapping
from services.catalog.domain.importers.secrets.secret_forms import choose_form, split_prefix
from services.catalog.domain.importers.secrets.secret_usage import (
    Secret,
    find_secrets,
    is_given_out,
    is_hard_coded,
    list_plain_values,
    may_be_generated,
)
from services.catalog.domain.item_files.document import Value
from services.catalog.domain.renderer.compose import parse_ports
from services.catalog.domain.renderer.interpolation import Variable, list_texts, map_texts, rewrite_variables

_DISTINCT_MIN = 6  # characters; a shorter text may occur elsewhere with another meaning
_MAX_SECRETS = 200  # of a definition; each is searched in all texts
_BEFORE = (
    r"""(?i:(?:pass(?:word|wd)?|secret|token|pwd|identified[ ]by)["']?[ ]{0,3}[:= ][ ]{0,3}|[?&;]p(?:w|ass)?="""
    r"""|[ ]-a[ ]{1,3}|[ ]-p|[\w:/]:(?=[^@\s]*@))["']?"""
)
"""Text before a secret: `password: x`, `--requirepass x`, `-a x`, `-px`, `&p=x`, `user:x@`."""
# Options whose next word is a secret; `-a` is the one of redis-cli.
_FLAG = re.compile(r"--?[\w-]*(?:pass(?:word|wd)?|secret|token)|-a", re.IGNORECASE)
_MASKED = "(a password of this app's own, among its values)"
# Words for a password in the languages of the collections, before the password itself.
_TOLD = r"(?i:pass(?:word|wd|wort)?|pwd|pw|contraseña|mot de passe|密码|密碼)[^\n]{0,60}?"


def replace_hard_coded_secrets(
    draft: Draft, services: dict[str, Any], *, configs: Mapping[str, dict[str, str]]
) -> None:
    """Replace secrets in clear by generated inputs, one for equal values.

    Raises:
        RefusedEntryError: there are more than 200.
    """
    secrets = find_secrets(draft, services)
    plain = list_plain_values(services)
    texts = [config["content"] for config in configs.values()]
    replaced: list[Secret] = []
    for secret in secrets:
        users = _list_users(secret, services, configs=configs, plain=plain)
        if may_be_generated(secret, services, users=users, texts=texts):
            replaced.append(secret)
        else:
            _leave(draft, services, secret=secret)
    if len(replaced) > _MAX_SECRETS:
        raise RefusedEntryError(f"contains more than {_MAX_SECRETS} secrets in clear")
    references = _declare(draft, replaced)
    if not references:
        return
    hidden = _Hidden(references, replaced, plain=plain)
    for service in services.values():
        hidden.hide_in_service(service)
    for config in configs.values():
        config["content"] = hidden.hide_inside(config["content"])
    _hide_in_notes(draft, references)


def _list_users(
    secret: Secret,
    services: Mapping[str, Any],
    *,
    configs: Mapping[str, dict[str, str]],
    plain: Collection[str],
) -> set[str]:
    """Return the services that have a secret: in a variable, inside of an address, in a command, in a file."""
    users = {service for service, _ in secret.keys}
    mark = "\ue000"  # occurs in no text: the parser refuses this character
    probe = _Hidden({(secret.value, secret.is_login): mark}, [secret], plain=plain)
    for name, service in services.items():
        texts: list[str] = []
        copy = {key: service[key] for key in ("environment", "command", "entrypoint") if key in service}
        probe.hide_in_service(copy)
        texts += list_texts(copy)
        for reference in service.get("configs") or ():
            config = configs.get(str(take_mapping(reference).get("source")), {})
            texts.append(probe.hide_inside(config.get("content", "")))
        if any(mark in text for text in texts):
            users.add(name)
    return users


def _leave(draft: Draft, services: Mapping[str, Any], *, secret: Secret) -> None:
    """Leave a secret as the collection has it, also where it is the default of a variable."""
    users = sorted({service for service, _ in secret.keys})
    ports = [port for name in users for port in parse_ports(services[name].get("ports"))]
    where = (
        "though its port is open to the network"
        if any(not p.is_loopback for p in ports)
        else "inside of the app only"
    )
    draft.note(
        f"The password of {', '.join(users)} is the collection's own, because not every service that needs it gets it; it is used {where}."
    )
    for record in draft.inputs:
        if record["name"] in secret.names and record.pop("generate", None):
            record["default"] = secret.value

    def write(variable: Variable) -> str:
        is_own = variable.name in secret.names and variable.name not in draft.replaced
        return secret.value.replace("$", "$$") if is_own else variable.text

    for service in services.values():
        if pairs := take_mapping(service.get("environment")):
            service["environment"] = map_texts(dict(pairs), lambda text: rewrite_variables(text, write))


def _declare(draft: Draft, secrets: list[Secret]) -> dict[tuple[str, bool], str]:
    """Return the reference for each secret, after adding the missing inputs."""
    taken = {record["name"] for record in draft.inputs}
    references: dict[tuple[str, bool], str] = {}
    for secret in secrets:
        prefix, text = split_prefix(secret.value)
        declared = next((name for name in secret.names if name in draft.replaced), "")
        name = declared or _free_name(
            re.sub(r"[^A-Za-z0-9_]", "_", (secret.names or [secret.keys[0][1]])[0]), taken
        )
        references[secret.value, secret.is_login] = f"{prefix}${{{name}}}"
        if not declared:
            taken.add(name)
            draft.inputs.append(_build_input(draft, name, keys=[key for _, key in secret.keys], secret=text))
    return references


def _build_input(draft: Draft, name: str, *, keys: list[str], secret: str) -> dict[str, Any]:
    label = keys[0].replace("_", " ").strip().capitalize() or name
    record = {"name": name, "label": label, "type": "password"}
    if text := draft.helps.get(keys[0]):
        record["help"] = text
    if all(map(is_given_out, keys)):
        return record
    return {**record, "generate": choose_form(keys[0], example=secret, description=text or "")}


class _Hidden:
    """Writer of references in place of secrets in the texts of a definition."""

    def __init__(
        self, references: Mapping[tuple[str, bool], str], secrets: list[Secret], *, plain: Collection[str]
    ) -> None:
        self._names = {name: references[one.value, one.is_login] for one in secrets for name in one.names}
        ordered = sorted(references.items(), key=lambda entry: (-len(entry[0][0]), entry[0][1]))
        self._inside: dict[str, str] = {}
        for (value, _), reference in ordered:
            self._inside.setdefault(value, reference)
        self._plain = plain
        self._logins = {
            (value, key): references[one.value, True]
            for one in secrets
            if one.is_login
            for value in [one.value]
            for _, key in one.keys
        }

    def hide_in_service(self, service: dict[str, Any]) -> None:
        """Replace secrets in the environment, commands and health check of a service."""
        if pairs := take_mapping(service.get("environment")):
            service["environment"] = {key: self._hide(str(key), value) for key, value in pairs.items()}
        for key in {"command", "entrypoint", "healthcheck"} & service.keys():
            service[key] = self._hide_words(map_texts(service[key], self.hide_inside))

    def hide_inside(self, text: str) -> str:
        """Replace secrets in a text: a distinct one everywhere, another only behind an option or key for secrets."""
        text = rewrite_variables(text, self._hide_variable)
        for secret, reference in self._inside.items():
            if secret not in text:
                continue
            if _is_mixed(secret) and secret not in self._plain:
                pattern = rf"((?<![A-Za-z0-9])|-p){re.escape(secret)}(?![A-Za-z0-9])"
            else:
                pattern = rf"({_BEFORE}){re.escape(secret)}(?![\w-])"
            text = re.sub(pattern, rf"\g<1>{reference}", text)
        return text

    def _hide_variable(self, variable: Variable) -> str:
        return self._names.get(variable.name, variable.text)

    def _hide(self, key: str, value: Value) -> Value:
        if is_hard_coded(key, value) and str(value) in self._inside:
            return self._logins.get((str(value), key), self._inside[str(value)])
        if not isinstance(value, str):
            return value
        return self.hide_inside(value)

    def _hide_words(self, command: Value) -> Value:
        """Replace a secret that is a word of its own in a list, after its option."""
        if isinstance(command, dict):
            return {key: self._hide_words(value) for key, value in command.items()}
        if not isinstance(command, list):
            return command
        words = list(command)
        for index in range(1, len(words)):
            if words[index] in self._inside and _FLAG.fullmatch(str(words[index - 1])):
                words[index] = self._inside[words[index]]
        return words


def _hide_in_notes(draft: Draft, references: Mapping[tuple[str, bool], str]) -> None:
    """Remove the replaced passwords from notes and descriptions, where they are no longer true."""
    for (value, _), reference in references.items():
        pattern = re.compile(rf"({_TOLD})(?<![\w-])`?{re.escape(value)}`?(?![\w-])")
        draft.notes[:] = [pattern.sub(rf"\g<1>{_MASKED}", note) for note in draft.notes]
        draft.description = pattern.sub(rf"\g<1>{_MASKED}", draft.description)
        if draft.password == value:
            draft.password = reference


def _is_mixed(secret: str) -> bool:
    """Return whether a text is no word: users, databases and hosts have words as names, however long."""
    mixed = any(c.isdigit() for c in secret) and any(c.isalpha() for c in secret)
    return mixed and len(secret) >= _DISTINCT_MIN


def _free_name(wanted: str, taken: Collection[str]) -> str:
    wanted = wanted if re.match(r"[A-Za-z_]", wanted) else f"_{wanted}"
    name, number = wanted[:90], 2
    while name in taken:
        name, number = f"{wanted[:90]}_{number}", number + 1
    return name
