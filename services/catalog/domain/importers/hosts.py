"""The names and addresses by which the services of a definition reach each other.

Container names, links and fixed addresses belong to the other system's host; what they
stood for stays reachable, by aliases of the services.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.draft import take_list, take_mapping
from services.catalog.domain.item_files.document import Value
from services.catalog.domain.renderer.interpolation import map_texts

# Umbrel writes fixed addresses as variables with a name per container.
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-[^{}$]*)?\}?")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def name_addresses(services: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Return the service of each fixed address, by the address and by the variable that contains it."""
    names: dict[str, str] = {}
    for name, service in services.items():
        networks = take_mapping(take_mapping(service).get("networks"))
        for network in networks.values():
            text = str(take_mapping(network).get("ipv4_address", ""))
            if match := _VARIABLE.fullmatch(text):
                names[match[1]] = name
                text = known.get(match[1], "")
            if _ADDRESS.fullmatch(text):
                names[text] = name
    return names


def replace_addresses(tree: Value, names: Mapping[str, str]) -> Value:
    """Write the service's name for each fixed address in a plain tree."""
    if not any(_ADDRESS.fullmatch(address) for address in names):
        return tree
    pattern = re.compile(rf"(?<![\w.]){_ADDRESS.pattern}(?!\d|\.\d|/\d)")
    return map_texts(tree, lambda text: pattern.sub(lambda match: names.get(match[0], match[0]), text))


def list_aliases(services: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return by what other names each service is reached: as a container, by a link, in a network."""
    aliases: dict[str, list[str]] = {name: [] for name in services}
    for name, service in services.items():
        networks = take_mapping(service.get("networks"))
        aliases[name] += [a for n in networks.values() for a in take_list(take_mapping(n).get("aliases"))]
        aliases[name] += take_list(service.get("container_name"))
        for link in take_list(service.get("links")):
            target, _, alias = str(link).partition(":")
            if target in aliases:
                aliases[target].append(alias)
    return {
        name: [a for a in dict.fromkeys(map(str, found)) if _HOST.fullmatch(a) and a not in services]
        for name, found in aliases.items()
    }
