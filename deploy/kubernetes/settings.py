"""Settings of the platform in pods: from the ConfigMap and the Secret `proximity-settings`, each where it is read."""

from __future__ import annotations

from deploy.composing import FIXED as SET_BY_COMPOSE
from deploy.configuration import Variable, list_variables
from deploy.kubernetes.parts import Manifest
from services.registry import GATEWAY, SERVICES

SETTINGS = "proximity-settings"  # name of the ConfigMap and of the Secret, both optional
METRICS_PORT = 9100
# The manifests set what Compose sets, and the port of the metrics, which the network policy names.
FIXED = SET_BY_COMPOSE | {"METRICS_LISTEN"}


def list_settings() -> list[Variable]:
    """Every variable that an operator may set, by name."""
    readers = {*SERVICES, GATEWAY}
    return [each for each in list_variables() if readers & set(each.readers) and each.name not in FIXED]


def make_settings(reader: str) -> list[Manifest]:
    """Return the environment of the pods of `reader`, a service or the gateway: what it reads and nothing else.

    A variable whose key is in neither object is not set, so that the default holds.
    """
    return [
        {
            "name": each.name,
            "valueFrom": {
                "secretKeyRef" if each.secret else "configMapKeyRef": {
                    "name": SETTINGS,
                    "key": each.name,
                    "optional": True,
                }
            },
        }
        for each in list_settings()
        if reader in each.readers
    ]


def render_env_file(*, secret: bool) -> str:
    """Return a file for kustomize's generators with every setting, commented out, with its default."""
    kind = "Secret" if secret else "ConfigMap"
    lines = [
        f"# The {kind} {SETTINGS}: docs/configuration.md says who reads what. Made by `make kubernetes`."
    ]
    for each in list_settings():
        if each.secret is secret:
            value = "" if secret or each.default in {"none", "required"} else each.default
            lines += ["", f"# {each.doc}", f"#{each.name}={value}"]
    return "\n".join(lines) + "\n"
