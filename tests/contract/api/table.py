"""The case files: what a case says, and which RPC it belongs to.

`cases/<service>/<rpc>.yaml` holds `requests` (every path of the RPC), `access`, `status` and what a good request sends
(`path`, `query`, `body`, `headers`) and gets (`answer`, `sends` for headers); `refusals` are requests that
fail, each with its reason in words. A value `$thing` or `$thing.field` is a thing of the world.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from gateway.surface import Binding, Method, load_surface

CASES = Path(__file__).parent / "cases"
KNOWN = {"requests", "access", "status", "path", "query", "body", "headers", "answer", "sends", "caller",
    "once", "refusals", "reached", "follow", "stream", "unsent", "differ"}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is sent, with names of things in place of values, and what must come back."""

    why: str = "good"
    status: int = 200
    caller: str = ""
    path: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    field: str = ""
    code: str = ""
    error: str = ""


@dataclass(frozen=True)
class Case:
    """The case file of one RPC.

    Attributes:
        requests: every path, as written in the file: `POST /api/apps`.
        good: the good request; None where there is none, and `reached` says how the RPC is reached instead.
        once: a good request is sent once only, for it is costly.
        follow: what has to be waited for afterwards, so that the next case finds the world at rest.
        stream: the answer never ends; its beginning is looked at.
        unsent: fields that the good request leaves out, for they exclude others.
        differ: what makes a body another one, for RPCs that take an Idempotency-Key.
    """

    name: str
    requests: tuple[str, ...]
    access: str
    status: int
    good: Request | None
    refusals: tuple[Request, ...]
    once: bool
    follow: str
    stream: bool
    unsent: tuple[str, ...]
    differ: dict[str, Any]
    method: Method

    def list_bindings(self) -> tuple[Binding, ...]:
        """The paths under which REST reaches it."""
        return self.method.bindings


def name_case(method: Method) -> str:
    """apps/deploy_app for proximity.apps.v1.AppsService.DeployApp."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", method.name).lower()
    return f"{method.owner}/{snake}"


@lru_cache
def load_cases(folder: Path = CASES) -> dict[str, Case]:
    """Every case file by the name of its RPC.

    Raises:
        ValueError: a file says what nobody reads, or is of no RPC: that is gone, or named otherwise.
    """
    methods = {name_case(method): method for method in load_surface().routed}
    found = {}
    for file in sorted(folder.glob("*/*.yaml")):
        name = f"{file.parent.name}/{file.stem}"
        if name not in methods:
            raise ValueError(f"case {name}: there is no such RPC; remove the file or give it the RPC's name")
        found[name] = _parse_case(name, yaml.safe_load(file.read_text(encoding="utf-8")), methods[name])
    return found


def _parse_case(name: str, said: dict[str, Any], method: Method) -> Case:
    if unknown := set(said) - KNOWN:
        raise ValueError(f"case {name}: nobody reads {sorted(unknown)}")
    good = None if said.get("reached") else _parse_request(said, said["status"])
    return Case(
        name=name,
        requests=tuple(said["requests"]),
        access=said["access"],
        status=said["status"],
        good=good,
        refusals=tuple(_parse_refusal(each, said) for each in said.get("refusals", ())),
        once=said.get("once", False),
        follow=said.get("follow", ""),
        stream=said.get("stream", False),
        unsent=tuple(said.get("unsent", ())),
        differ=said.get("differ", {}),
        method=method,
    )


def _parse_request(said: dict[str, Any], status: int) -> Request:
    kept = {key: said[key] for key in Request.__dataclass_fields__ if key in said}
    return Request(**kept | {"status": status, "sends": tuple(said.get("sends", ()))})


def _parse_refusal(said: dict[str, Any], good: dict[str, Any]) -> Request:
    """A refusal sends what the good request sends, but for what it says itself."""
    inherited = {key: good[key] for key in ("path", "query", "body", "caller") if key in good}
    for key in ("path", "query"):
        if key in said:
            inherited[key] = inherited.get(key, {}) | said[key]
    if "change" in said:
        inherited["body"] = (inherited.get("body") or {}) | said["change"]
    given = {key: value for key, value in said.items() if key not in {"path", "query", "change"}}
    return Request(**inherited | given)
