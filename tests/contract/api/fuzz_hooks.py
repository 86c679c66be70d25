"""What schemathesis leaves alone, so that the platform stands when it is done, and a check of ours.

It loads this in a process of its own.
"""

from __future__ import annotations

import re
from typing import Any

import schemathesis

# The first of each kind is what everybody else uses: the administrator, the token of the fuzzer, the host.
PROTECTED = ("/api/auth/users/{id}", "/api/auth/tokens/{id}", "/api/proxmox/hosts/{id}")
FIRST_FREE = 1_000
# What the services say of values that break the rules of their fields (`services.common.rpc.interceptors`). The document
# states the same rules, so nothing that fits it is refused with these words.
_RULE = re.compile(
    r"must not contain the control character|must not be empty|is shorter than \d|characters; at most|is less than \d"
    r"|is more than \d|is not one of: |must (have (letters|lower-case)|name the realm|be (a (storage|bridge)'s name|a host name|a SHA-256|the key of))"
    r"|is not a valid |entries; at most|must be (a (string|whole number|number|list)|an object|true or false|base64)|is not known"
)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Point writes at what is not there, never at what the platform stands on."""
    operation = context.operation
    if path_parameters and operation.path in PROTECTED and operation.method.upper() != "GET":
        number = _read_number(path_parameters.get("id"))
        if 0 < number < FIRST_FREE:
            path_parameters["id"] = number + FIRST_FREE
    return path_parameters


def _read_number(value: Any) -> int:
    """The id that the platform will read: what follows a link holds text."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return 0


@schemathesis.check
def no_rule_is_missing_in_the_document(_context: Any, response: Any, case: Any) -> None:
    """Let a request that fits the document be refused for its meaning (a node that is none), never for a rule of a field.

    In place of `positive_data_acceptance`, which knows no meaning.
    """
    generation = case.meta and case.meta.generation
    if response.status_code != 400 or not generation or not generation.mode.is_positive:
        return
    body = response.json()
    faults = [each for detail in body["details"] for each in detail.get("field_violations", ())]
    missing = [
        f"{each['field']}: {each['description']}" for each in faults if _RULE.search(each["description"])
    ]
    assert not missing, f"the document allows what a rule refuses: {missing}"
    assert faults or body["details"], f"refused without a field or a reason: {body['error']}"
