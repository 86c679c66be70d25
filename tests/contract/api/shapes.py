"""Whether an answer has exactly the fields that the contract names: `shapes.yaml` lists them by hand."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "number": (int, float),
    "bool": (bool,),
    "object": (dict,),
    "time": (str,),
}


@lru_cache(maxsize=1)
def load_shapes() -> dict[str, Any]:
    """Every shape by name."""
    found: dict[str, Any] = yaml.safe_load(
        Path(__file__).with_name("shapes.yaml").read_text(encoding="utf-8")
    )
    return found


def find_faults(value: Any, shape: Any, where: str = "") -> list[str]:
    """What is not as the shape says, a line each.

    A shape is the name of a type or of another shape, a list of one shape, `{"*": shape}` for any names, or an object
    whose names end with `?` where they may be left out.
    """
    if isinstance(shape, str) and shape in load_shapes():
        shape = load_shapes()[shape]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is not a list"]
        return [
            fault for at, each in enumerate(value) for fault in find_faults(each, shape[0], f"{where}[{at}]")
        ]
    if isinstance(shape, dict):
        return _find_object_faults(value, shape, where)
    return _find_scalar_faults(value, shape, where)


def _find_object_faults(value: Any, shape: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is not an object"]
    if "*" in shape:
        return [f for name, each in value.items() for f in find_faults(each, shape["*"], f"{where}.{name}")]
    known = {name.removesuffix("?"): each for name, each in shape.items()}
    faults = [f"{where}.{name} is not in the contract" for name in sorted(set(value) - set(known))]
    faults += [f"{where}.{n} is missing" for n in shape if not n.endswith("?") and n not in value]
    for name in value:
        if name in known:
            faults += find_faults(value[name], known[name], f"{where}.{name}")
    return faults


def _find_scalar_faults(value: Any, shape: str, where: str) -> list[str]:
    kinds = _TYPES[shape]
    is_right = isinstance(value, kinds) and not (isinstance(value, bool) and shape != "bool")
    if shape == "time":
        is_right = is_right and _TIME.fullmatch(value) is not None
    return [] if is_right else [f"{where}: {value!r} is not of type {shape}"]
