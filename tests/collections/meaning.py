"""Compares what is published of an entry with its source, variables unresolved."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from services.catalog.domain.entities import Input, Item

_REFERENCE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)[^{}]*(?:\{[^{}]*\}[^{}]*)*\})", re.ASCII)
_PLATFORM = frozenset({"PROXIMITY_HOSTNAME", "PROXIMITY_PUBLIC_PORT", "TZ"})
_DROPPED_MOUNTS = re.compile(
    r"/etc/(?:localtime|timezone|resolv\.conf)|/usr/share/zoneinfo.*|/dev/(?:shm|dri|u?random|null|zero|net/tun|nvidia|video|kfd|vc).*|/lib/modules"
)
_TEXTS = ("user", "working_dir", "network_mode", "hostname")
_OWN_NETWORKS = frozenset({"bridge", "default"})  # the app's own container has no other
_COOLIFY_ADDRESS = re.compile(r"SERVICE_(?:URL|FQDN)_.*")  # its own address, or the path of its page
_OTHER_CONTAINER = re.compile(
    r"[a-z0-9-]+_[a-z0-9_-]+_1\b"
)  # of another app of Umbrel: people name its address
_ANYTHING = "\0"


def list_differences(source: Mapping[str, Mapping[str, Any]], item: Item) -> list[str]:
    """Return what differs in meaning between the services of a source and an item.

    Intended, and left out: values that became inputs of the item or addresses of the platform, variables of the other
    system that were resolved, where data lie on the host, the host's ports, and devices and clocks of the host.
    """
    ours = {name: one for name, one in item.compose["services"].items() if name != "proximity-volumes"}
    theirs = {name: one for name, one in source.items() if not (one or {}).get("profiles")}
    found = []
    if theirs.keys() != ours.keys():
        found.append(f"services {sorted(theirs)} != {sorted(ours)}")
    inputs = {one.name: one for one in item.inputs}
    for name in theirs.keys() & ours.keys():
        comparison = _Comparison(theirs[name] or {}, ours[name], item=item, inputs=inputs, service=name)
        found += [f"{name}: {text}" for text in comparison.list_all()]
    return found


class _Comparison:
    """One service in its source and in an item."""

    def __init__(
        self,
        theirs: Mapping[str, Any],
        ours: Mapping[str, Any],
        *,
        item: Item,
        inputs: Mapping[str, Input],
        service: str,
    ) -> None:
        self._theirs, self._ours, self._item, self._inputs, self._service = (
            theirs,
            ours,
            item,
            inputs,
            service,
        )

    def list_all(self) -> Iterator[str]:
        if not self._is_same(self._theirs.get("image"), self._ours.get("image")):
            yield f"image {self._theirs.get('image')!r} != {self._ours.get('image')!r}"
        for key in _TEXTS:
            if self._theirs.get(key) in _OWN_NETWORKS:
                continue
            if key in self._theirs and not self._is_same(self._theirs[key], self._ours.get(key)):
                yield f"{key} {self._theirs[key]!r} != {self._ours.get(key)!r}"
        for key in ("command", "entrypoint"):
            yield from self._compare_words(key)
        yield from self._compare_environment()
        yield from self._compare_ports()
        yield from self._compare_mounts()
        if (waits := _read_dependencies(self._theirs)) != (ours := _read_dependencies(self._ours)):
            yield f"depends on {sorted(waits)} != {sorted(ours)}"

    def _compare_words(self, key: str) -> Iterator[str]:
        theirs, ours = _read_words(self._theirs.get(key)), _read_words(self._ours.get(key))
        if len(theirs) != len(ours) or not all(map(self._is_same, theirs, ours)):
            yield f"{key} {theirs} != {ours}"

    def _compare_environment(self) -> Iterator[str]:
        theirs, ours = (
            _read_pairs(self._theirs.get("environment")),
            _read_pairs(self._ours.get("environment")),
        )
        for name in sorted(theirs.keys() - ours.keys()):
            if name != "TZ" and not _COOLIFY_ADDRESS.fullmatch(name):
                yield f"{name}={theirs[name]!r} is lost"
        if "env_file" not in self._theirs:
            for name in sorted(ours.keys() - theirs.keys() - {"TZ"}):
                yield f"{name}={ours[name]!r} is new"
        for name in sorted(theirs.keys() & ours.keys()):
            if (
                name != "TZ"
                and not _COOLIFY_ADDRESS.fullmatch(name)
                and not self._is_same(theirs[name], ours[name])
            ):
                yield f"{name}={theirs[name]!r} != {ours[name]!r}"

    def _compare_ports(self) -> Iterator[str]:
        theirs = _read_ports(self._theirs.get("ports"))
        ours = _read_ports(self._ours.get("ports"))
        main = self._item.main_port
        page = {(main.container, main.protocol)} if main and main.service == self._service else set()
        if (0, "tcp") in theirs | ours or self._ours.get("network_mode") == "host":
            return  # given by a variable, or opened by the service itself
        if not (theirs - page <= ours and ours - page <= theirs):
            yield f"ports {sorted(theirs)} != {sorted(ours)}"

    def _compare_mounts(self) -> Iterator[str]:
        if self._theirs.get("volumes_from"):
            return  # mounts of other services as well
        theirs = {_read_target(entry) for entry in self._theirs.get("volumes") or ()}
        theirs = {target for target in theirs if target and not _DROPPED_MOUNTS.fullmatch(target)}
        ours = {_read_target(entry) for entry in self._ours.get("volumes") or ()}
        files = {str(one["target"]) for one in self._ours.get("configs") or () if isinstance(one, dict)}
        for target in sorted(theirs):
            if (
                target not in ours
                and not any(file == target or file.startswith(f"{target}/") for file in files)
                and not any(self._is_same(target, one) for one in (ours | files))
            ):
                yield f"nothing is mounted at {target}"
        for target in sorted(ours):
            if not any(self._is_same(one, target) for one in theirs):
                yield f"{target} is mounted"

    def _is_same(self, theirs: object, ours: object) -> bool:
        """Say whether two texts are the same but for variables and values that became inputs."""
        source, result = _render(theirs), _render(ours)
        if source == result or (source.lower() == result and result in {"true", "false"}):
            return True  # Compose writes booleans of YAML in lower case
        return _matches(source, result, self._inputs) or (
            "$" in source.replace("$$", "") and _matches_resolved(source, result)
        )


def _render(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()


def _split(text: str) -> list[tuple[str, str]]:
    """Return (literal, variable) pairs: one of each is empty."""
    text = text.replace("$$", _ANYTHING)
    parts: list[tuple[str, str]] = []
    position = 0
    for match in _REFERENCE.finditer(text):
        parts.append((text[position : match.start()].replace(_ANYTHING, "$"), ""))
        parts.append(("", match[1] or match[2]))
        position = match.end()
    parts.append((text[position:].replace(_ANYTHING, "$"), ""))
    return [part for part in parts if part != ("", "")]


def _matches(source: str, result: str, inputs: Mapping[str, Input]) -> bool:
    """Say whether each variable of the result stands for a part of the source that may be one."""
    parts = _split(result)
    pattern = "".join("(.*?)" if variable else re.escape(literal) for literal, variable in parts)
    plain = "".join(literal or f"${{{variable}}}" for literal, variable in _split(source))
    match = re.fullmatch(pattern, plain, re.DOTALL)
    if match is None:
        return False
    variables = [variable for _, variable in parts if variable]
    return all(
        _may_be(part, variable, inputs) for part, variable in zip(match.groups(), variables, strict=True)
    )


def _may_be(part: str, variable: str, inputs: Mapping[str, Input]) -> bool:
    found = inputs.get(variable)
    if variable in _PLATFORM or "$" in part or (found and _OTHER_CONTAINER.search(part)):
        return True
    return found is not None and (
        found.secret or found.generate is not None or found.required or found.default == part
    )


def _matches_resolved(source: str, result: str) -> bool:
    """Say whether the texts are the same where each variable of either may stand for any text."""
    ours = _list_tokens(result)
    row = [
        True,
        *(False for _ in ours),
    ]  # row[j]: what was read of the source fits the first j tokens of the result
    for index, token in enumerate(ours):
        row[index + 1] = row[index] and token is None
    for theirs in _list_tokens(source):
        above, row = row, [theirs is None and row[0]]
        for index, token in enumerate(ours):
            skips = (theirs is None and above[index + 1]) or (token is None and above[index + 1])
            row.append(
                skips
                or ((theirs is None or token is None) and row[index])
                or (theirs == token and above[index])
            )
    return row[-1]


def _list_tokens(text: str) -> list[str | None]:
    """Return the characters of a text, None for a variable."""
    return [token for literal, variable in _split(text) for token in (literal or [None])]


def _read_words(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [_render(one) for one in value]
    try:
        return shlex.split(str(value))
    except ValueError:
        return [str(value)]


def _read_pairs(value: object) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(name): _render(one) if one is not None else f"${{{name}}}" for name, one in value.items()}
    pairs = [str(one).partition("=") for one in value or ()] if isinstance(value, list) else []
    return {name: text.strip() if equals else f"${{{name}}}" for name, equals, text in pairs}


def _read_ports(value: object) -> set[tuple[int, str]]:
    """Return the container's ports that are open beyond loopback; ranges are taken apart."""
    found = set()
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict):
            target, protocol, host = (
                str(entry["target"]),
                str(entry.get("protocol") or "tcp"),
                str(entry.get("host_ip", "")),
            )
        else:
            text, _, protocol = str(entry).partition("/")
            shown = _REFERENCE.sub(_read_default, text)
            *before, target = re.split(r":(?![^\[]*\])", shown)
            host = before[0] if len(before) > 1 else ""
        if host.startswith(("127.", "[::1]", "::1")):
            continue
        first, _, last = target.partition("-")
        if first.isdigit():
            numbers = range(int(first), int(last or first) + 1)
            found |= {(number, (protocol or "tcp").lower()) for number in numbers}
    return found


def _read_default(reference: re.Match[str]) -> str:
    """Return the default port of a variable, 0 where it has none."""
    default = re.search(r":?-([0-9-]+)", reference[0])
    return default[1] if default else "0"


def _read_target(entry: object) -> str:
    if isinstance(entry, dict):
        return "" if entry.get("type") == "tmpfs" else str(entry.get("target", "")).rstrip("/")
    shown = re.sub(r"\$\{[^{}]*\}", lambda m: m[0].replace(":", _ANYTHING), str(entry))
    parts = [part.replace(_ANYTHING, ":") for part in shown.split(":")]
    target = parts[1] if len(parts) > 1 else parts[0]
    return target.rstrip("/") or "/"


def _read_dependencies(service: Mapping[str, Any]) -> set[tuple[str, str]]:
    depends = service.get("depends_on") or {}
    if isinstance(depends, dict):
        pairs = {(name, (one or {}).get("condition", "service_started")) for name, one in depends.items()}
    else:
        pairs = {(str(name), "service_started") for name in depends}
    return {pair for pair in pairs if pair[0] != "proximity-volumes"}
