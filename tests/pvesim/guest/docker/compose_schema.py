"""Keys and types of a compose file that Docker Compose refuses."""

from typing import Any

from tests.pvesim.guest.docker import keys
from tests.pvesim.guest.docker.state import DockerError


def check_keys(path: str, document: dict[str, Any]) -> None:
    """Refuse what the specification does not know.

    Raises:
        DockerError: naming the place and the key.
    """
    unknown = next((k for k in document if k not in keys.TOP_LEVEL and not str(k).startswith("x-")), None)
    if unknown is not None:
        raise DockerError(f"validating {path}: (root) additional properties '{unknown}' not allowed")
    for section, allowed in (
        ("services", keys.SERVICE),
        ("volumes", keys.VOLUME),
        ("networks", keys.NETWORK),
    ):
        entries = document.get(section)
        if entries is None:
            continue
        if not isinstance(entries, dict):
            raise DockerError(f"validating {path}: {section} must be a mapping")
        for name, fields in entries.items():
            _check_entry(path, f"{section}.{name}", fields, allowed)


def _check_entry(path: str, where: str, fields: Any, allowed: frozenset[str]) -> None:
    if fields is None:
        return
    if not isinstance(fields, dict):
        raise DockerError(f"validating {path}: {where} must be a mapping")
    for key, value in fields.items():
        if key not in allowed and not str(key).startswith("x-"):
            raise DockerError(f"validating {path}: {where} additional properties '{key}' not allowed")
        if where.startswith("services.") and value is not None:
            _check_type(path, f"{where}.{key}", key, value)


def _check_type(path: str, where: str, key: str, value: Any) -> None:
    wanted: tuple[frozenset[str], type, str] | None = next(
        (
            rule
            for rule in (
                (keys.TEXTS, str, "a string"),
                (keys.LISTS, list, "an array"),
                (keys.MAPPINGS, dict, "a mapping"),
                (keys.FLAGS, bool, "a boolean"),
            )
            if key in rule[0]
        ),
        None,
    )
    is_text_flag = key in keys.FLAGS and isinstance(value, str)
    is_build = key == "build" and isinstance(value, str)
    is_number_user = key == "user" and isinstance(value, int)
    if (
        wanted
        and not isinstance(value, wanted[1])
        and not (is_text_flag or is_build or is_number_user or value is False)
    ):
        raise DockerError(f"validating {path}: {where} must be {wanted[2]}")
    if key == "healthcheck":
        for inner in value:
            if inner not in keys.HEALTHCHECK and not str(inner).startswith("x-"):
                raise DockerError(f"validating {path}: {where} additional properties '{inner}' not allowed")
