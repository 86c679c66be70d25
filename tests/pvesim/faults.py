"""Faults on demand: rules that match requests or tasks and spoil them."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = frozenset(
    {
        "latency", "error", "reset", "hang", "node_down", "task_fail", "task_hang", "ticket_expired",
        "storage_full", "lock_timeout", "lost_reply", "task_warn", "answer",
    }
)  # fmt: skip
TASK_KINDS = frozenset({"task_fail", "task_hang", "task_warn", "storage_full"})
HANG_SECONDS = 3600.0


@dataclass
class Rule:
    """One fault: what it matches, what it does, how often.

    `after` matches pass unharmed, then `times` are struck (None: all), each with `probability`. `body` is what `answer`
    sends, a byte for each character.
    """

    kind: str
    match: dict[str, Any] = field(default_factory=dict)
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    status: int = 500
    reason: str = ""
    body: str = ""
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind '{self.kind}'; known: {', '.join(sorted(KINDS))}")
        unknown = set(self.match) - {"method", "path", "node", "vmid", "type"}
        if unknown:
            raise ValueError(f"unknown match '{min(unknown)}'; known: method, path, node, vmid, type")
        re.compile(str(self.match.get("path", "")))
        self.body.encode("latin-1")
        self._rng = random.Random(self.seed)

    def render(self) -> dict[str, Any]:
        """The rule as it was given, and how often it struck."""
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}

    def fits(self, facts: Mapping[str, Any]) -> bool:
        """Whether the rule is about such a request or task."""
        for key, want in self.match.items():
            got = str(facts.get(key) or "")
            if key == "path":
                if not re.search(str(want), got):
                    return False
            elif got.lower() != str(want).lower():
                return False
        return True

    def strike(self, facts: Mapping[str, Any]) -> bool:
        """Whether it strikes this time; counts."""
        if (self.times is not None and self.struck >= self.times) or not self.fits(facts):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self._rng.random() >= self.probability:
            return False
        self.struck += 1
        return True


@dataclass
class Faults:
    """The rules in force."""

    rules: list[Rule] = field(default_factory=list)

    def add(self, wanted: list[dict[str, Any]]) -> None:
        """Add rules.

        Raises:
            ValueError: a kind or match nobody knows.
        """
        try:
            self.rules += [Rule(**one) for one in wanted]
        except TypeError as error:
            raise ValueError(str(error)) from error

    def clear(self) -> None:
        """Remove every rule."""
        self.rules.clear()

    def find_request_fault(self, facts: Mapping[str, Any]) -> Rule | None:
        """The first rule that strikes this request."""
        return next((one for one in self.rules if one.kind not in TASK_KINDS and one.strike(facts)), None)

    def list_down_nodes(self) -> set[str]:
        """Nodes that are down as a whole, not only for some requests."""
        lasting = [one for one in self.rules if one.kind == "node_down" and set(one.match) == {"node"}]
        return {str(one.match["node"]) for one in lasting if one.times is None and not one.after}

    def find_lock_fault(self, facts: Mapping[str, Any]) -> Rule | None:
        """The first rule that keeps a lock from this task."""
        return next((one for one in self.rules if one.kind == "lock_timeout" and one.strike(facts)), None)

    def find_task_fault(self, facts: Mapping[str, Any]) -> Rule | None:
        """The first rule that strikes this task."""
        return next((one for one in self.rules if one.kind in TASK_KINDS and one.strike(facts)), None)
