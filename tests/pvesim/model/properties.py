"""Property strings such as `name=eth0,bridge=vmbr0,ip=dhcp`."""

from typing import Any

TRUE = frozenset({"1", "on", "yes", "true"})
FALSE = frozenset({"0", "off", "no", "false"})


class PropertyError(ValueError):
    """The text cannot be split into properties."""


def parse_boolean(text: str) -> str:
    """Proxmox's spellings of a boolean as `0` or `1`; anything else unchanged."""
    lowered = text.lower()
    if lowered in TRUE:
        return "1"
    return "0" if lowered in FALSE else text


def split_properties(text: str, fields: dict[str, Any]) -> dict[str, str]:
    """Split a property string by its schema's fields, without checking the values.

    Raises:
        PropertyError: a key twice, or a bare value where no default key exists.
    """
    default = next((key for key, field in fields.items() if field.get("default_key")), None)
    found: dict[str, str] = {}
    for part in text.split(","):
        key, sign, value = part.partition("=")
        if not part:
            continue
        if not sign or not key:
            if default is None:
                raise PropertyError("value without key, but schema does not define a default key\n")
            key, value = default, part
        key = fields.get(key, {}).get("alias", key)
        if key in found:
            raise PropertyError(f"duplicate key in comma-separated list property: {key}\n")
        is_boolean = fields.get(key, {}).get("type") == "boolean"
        found[key] = parse_boolean(value) if is_boolean else value
    return found


def join_properties(
    values: dict[str, Any], *, default: str | None = None, first: tuple[str, ...] = ()
) -> str:
    """Write properties in Proxmox's order: default key, required keys, the rest by name."""
    keys = [key for key in (default, *first) if key in values]
    keys += sorted(key for key in values if key not in keys)
    return ",".join(str(values[key]) if key == default else f"{key}={values[key]}" for key in keys)


UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str) -> int:
    """Bytes of `8G`, `512M`, `1.5G` or a plain number."""
    unit = text[-1:] if text[-1:] in UNITS and not text[-1:].isdigit() else ""
    return int(float(text[: len(text) - len(unit)]) * UNITS[unit])


def render_size(size: int) -> str:
    """Bytes in the largest unit that divides them, as in `size=8G`."""
    for unit in ("T", "G", "M", "K"):
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return str(size)
