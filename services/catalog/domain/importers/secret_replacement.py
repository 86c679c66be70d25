"""Finds secrets that a collection hard-codes, and makes generated inputs of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.catalog.domain.document import Value
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, take_mapping
from services.catalog.domain.importers.secret_forms import choose_form, split_prefix
from services.catalog.domain.interpolation import map_texts
from services.catalog.domain.names import is_secret_name

_PLAIN_WORDS = frozenset(
    {"true", "false", "yes", "no", "none", "null", "0", "1", "file", "disabled", "enabled"}
)
_HARD_CODED_MIN = 3
_DISTINCT_MIN = 6
_MAX_SECRETS = 200
_GIVEN_OUT = re.compile(
    r"(?:.*_)?(?:OPENAI|ANTHROPIC|CLAUDE|GEMINI|GOOGLE|GROQ|MISTRAL|DEEPSEEK|OPENROUTER|HUGGING_?FACE|AZURE|GITHUB|GITLAB"
    r"|CLOUDFLARE|CF|SMTP|E?MAIL|VAPID|ZOOM|MS_GRAPH|STRIPE|TELEGRAM|DISCORD|SLACK|STEAM|PLEX|TMDB|IGDB|SPOTIFY|LASTFM|TAILSCALE|TS|NGROK"
    r"|BREVO|SENDGRID|MAILGUN|DATADOG|DD|DUCKDNS|NOIP|WOWZA|LOGSENE|SPM)_.*|.*_HASH|.*LICEN[CS]E.*",
    re.IGNORECASE,
)
_BEFORE = r"""(?i:(?:pass(?:word|wd)?|secret|token|pwd)["']?[ ]{0,3}[:= ][ ]{0,3}|[ ]-a[ ]{1,3}|[ ]-p)["']?"""
"""What a text says before a secret: `password: x`, `--requirepass x`, `-a x`, `-px`."""
_FLAG = re.compile(r"--?[\w-]*(?:pass(?:word|wd)?|secret|token)|-a", re.IGNORECASE)


def replace_hard_coded_secrets(
    draft: Draft, services: Mapping[str, Any], configs: Mapping[str, dict[str, str]]
) -> None:
    """Make inputs of secrets that stand in clear: equal values become one input, generated.

    Raises:
        RefusedEntryError: there are more than a definition has.
    """
    taken = {record["name"] for record in draft.inputs}
    names: dict[str, str] = {}
    for value, keys in _find_secrets(services).items():
        name = _free_name(re.sub(r"[^A-Za-z0-9_]", "_", keys[0]), taken)
        taken.add(name)
        prefix, secret = split_prefix(value)
        names[value] = f"{prefix}${{{name}}}"
        draft.inputs.append(_build_input(draft, name, keys, secret=secret))
    if len(names) > _MAX_SECRETS:
        raise RefusedEntryError(f"holds more than {_MAX_SECRETS} secrets in clear")
    for service in services.values() if names else ():
        pairs = take_mapping(service.get("environment"))
        if pairs:
            service["environment"] = {key: _hide(key, value, names) for key, value in pairs.items()}
        for key in {"command", "entrypoint", "healthcheck"} & service.keys():
            service[key] = _hide_words(
                map_texts(service[key], lambda text: _hide_inside(text, names, is_distinct)), names
            )
    for config in configs.values():
        config["content"] = _hide_inside(config["content"], names, _is_mixed)


def _build_input(draft: Draft, name: str, keys: Sequence[str], *, secret: str) -> dict[str, Any]:
    label = keys[0].replace("_", " ").strip().capitalize() or name
    record = {"name": name, "label": label, "type": "password"}
    if text := draft.helps.get(keys[0]):
        record["help"] = text
    if all(map(is_given_out, keys)):
        return record
    return {**record, "generate": choose_form(keys[0], example=secret, description=text or "")}


def is_given_out(name: str) -> bool:
    """Say whether a secret is one that somebody else gives out: one that is made up would be worse than none."""
    return is_secret_name(name) and bool(_GIVEN_OUT.fullmatch(name))


def _find_secrets(services: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of secrets that stand in clear, each with the variables that hold it."""
    found: dict[str, list[str]] = {}
    for service in services.values():
        for key, value in take_mapping(service.get("environment")).items():
            if is_hard_coded(key, value):
                found.setdefault(str(value), []).append(key)
    return found


def _hide_inside(text: str, names: Mapping[str, str], stands_out: Callable[[str], bool]) -> str:
    """Write what stands for secrets in a text: for one that stands out everywhere, else where a secret is meant."""
    for secret, reference in names.items():
        if secret not in text:
            continue
        if stands_out(secret):
            text = text.replace(secret, reference)
            continue
        pattern = rf"({_BEFORE}){re.escape(secret)}(?![\w-])"
        text = re.sub(pattern, rf"\g<1>{reference}", text)
        text = text.replace(f":{secret}@", f":{reference}@") if "://" in text else text
    return text


def _hide_words(command: Value, names: Mapping[str, str]) -> Value:
    """Hide a secret that is a word of its own in a list, after the option that it belongs to."""
    if not isinstance(command, list):
        return command
    words = list(command)
    for index in range(1, len(words)):
        if words[index] in names and _FLAG.fullmatch(str(words[index - 1])):
            words[index] = names[words[index]]
    return words


def is_distinct(secret: str) -> bool:
    """Say whether a text is a secret wherever a command has it: `postgres` is also the name of a program."""
    return _is_mixed(secret) or len(secret) >= 2 * _DISTINCT_MIN


def _is_mixed(secret: str) -> bool:
    """Say whether a text is no word: users, databases and hosts are called by words, however long."""
    mixed = any(c.isdigit() for c in secret) and any(c.isalpha() for c in secret)
    return mixed and len(secret) >= _DISTINCT_MIN


def is_hard_coded(key: str, value: Value) -> bool:
    """Say whether a variable holds a secret in clear."""
    text = str(value)
    if not is_secret_name(key) or "$" in text or isinstance(value, bool):
        return False
    plain = text.lower() in _PLAIN_WORDS or text.startswith(("/", "http://", "https://"))
    return len(text) >= _HARD_CODED_MIN and not plain


def _hide(key: str, value: Value, names: Mapping[str, str]) -> Value:
    text = str(value)
    if is_hard_coded(key, value):
        return names[text]
    hidden = _hide_inside(text, names, _is_mixed)
    return value if hidden == text else hidden


def _free_name(wanted: str, taken: set[str]) -> str:
    wanted = wanted if re.match(r"[A-Za-z_]", wanted) else f"_{wanted}"
    name, number = wanted[:90], 2
    while name in taken:
        name, number = f"{wanted[:90]}_{number}", number + 1
    return name
