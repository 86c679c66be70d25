"""Dependencies of Umbrel's apps on each other: an address can be an input, data and networks cannot be shared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from services.catalog.domain.importers.draft import take_mapping
from services.catalog.domain.importers.variables import make_variable
from services.catalog.domain.renderer.compose import read_pairs

_NODES = frozenset(
    {"bitcoin", "bitcoin-knots", "core-lightning", "datum", "electrs", "elements", "fulcrum", "libre-relay", "lightning",
     "lnbits", "mempool", "monero", "public-pool"}
)  # fmt: skip
"""Apps that are of no use without such a node, which runs in the same network and shares its data."""


def may_run_apart(needed: Sequence[str], definition: str) -> bool:
    """Return whether an app needs only the addresses of the apps it depends on."""
    if set(needed) & _NODES:
        return False
    for name in needed:
        own = f"APP_{make_variable(name).upper()}_"
        used = set(re.findall(rf"{re.escape(own)}([A-Z0-9_]+)", definition))
        if (
            any(not one.endswith(("URL", "HOST", "ADDRESS")) for one in used)
            or f"/app-data/{name}" in definition
        ):
            return False
    return True


def ask_for_addresses(needed: Sequence[str], services: dict[str, Any]) -> list[dict[str, Any]]:
    """Return inputs for the addresses of other apps in the environment, and replace the addresses by variables."""
    inputs: dict[str, dict[str, Any]] = {}
    if not needed:
        return []
    container = re.compile(
        rf"(?<![\w-])(?:{'|'.join(map(re.escape, needed))})_[a-z0-9-]+(?:_[a-z0-9-]+)*_[0-9]+(?![\w-])"
    )
    for name, service in services.items():
        pairs = read_pairs(take_mapping(service).get("environment"))
        addressed = {key: str(value) for key, value in pairs.items() if container.search(str(value))}
        if not addressed:
            continue
        services[name] = {**service, "environment": {**pairs, **{key: f"${{{key}}}" for key in addressed}}}
        for key, value in addressed.items():
            if key == make_variable(key):
                label = key.replace("_", " ").capitalize()
                inputs[key] = {
                    "name": key,
                    "label": label,
                    "type": "text",
                    "help": f"On Umbrel: {value[:300]}",
                }
    return list(inputs.values())
