"""What users do and what strikes the platform, from a seed alone."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ACTIONS: Mapping[str, int] = {
    # how often, relative to each other
    "deploy": 22,
    "stop": 7,
    "start": 8,
    "restart": 7,
    "clone": 7,
    "adopt": 5,
    "delete": 7,
    "cancel": 6,
    "back_up": 12,
    "restore": 7,
    "restore_beside": 5,
    "delete_backup": 6,
    "test_backup": 6,
    "update": 7,
    "resend": 9,
    "look": 14,
    "pry": 4,
    "protect": 2,
    "watch": 5,
    "terminal": 8,
    "reschedule": 3,
}
# What concerns one backup and needs no further choice: method, end of the path, body.
ON_BACKUPS: Mapping[str, tuple[str, str, dict[str, Any] | None]] = {
    "delete_backup": ("DELETE", "", None),
    "test_backup": ("POST", "/test", {}),
    "protect": ("PATCH", "", {"protected": True}),
}
_ADMINISTRATORS = frozenset({"adopt", "reschedule"})
BLOWS: Mapping[str, int] = {
    "kill": 26,
    "pause": 14,
    "restart": 12,
    "cut": 12,
    "hold": 7,
    "delay": 8,
    "fault": 24,
    "offline": 4,
    "lock": 5,
    "deaf": 3,
}
LINKS = ("nats", "postgres", "proxmox", "ssh")
_TASKS = (
    "vzcreate",
    "vzstart",
    "vzshutdown",
    "vzreboot",
    "vzclone",
    "vzdump",
    "vzrestore",
    "vzdestroy",
    "imgdel",
)
_FAULTS = (
    *("latency", "error", "reset", "reset", "lost_reply", "lost_reply", "ticket_expired", "lock_timeout"),
    *("hang", "node_down", "task_fail", "task_hang", "storage_full"),
)
# Locks that people and their scripts put on containers, and no task of the simulated Proxmox.
LOCKS = ("mounted", "fstrim")
# Longer than every limit of a request (35 s for an answer) and than the three attempts of a step (10 s). Pass 600 and
# 1500 to a storm of an hour for the ten minutes and the copies of 25 minutes that the platform promises to outlive.
OUTAGE_S, SILENCE_S = 60.0, 60.0
_PERIOD_S = 180.0  # one outage in each, or in each three outages if those are longer
COPIES = ("vzdump", "vzrestore", "vzclone")
# What is waited for in ambush, and how often in a period: operations that begin by themselves and are short.
_AMBUSHES = (
    *(("ambush_kill", "delete_backup"),) * 4,
    *(("ambush_kill", "test_backup"),) * 3,
    *(("ambush_outage", "test_backup"),) * 2,
)
ACTING = 0.75  # of a storm; then users rest, and policies back up what they left while blows still fall
AWAY_S = 8.0  # longer than a lease, shorter than what the other users need to go on
_VERIFY_S = 20.0  # between two verifications of the Proxmox Backup Server
_PAUSE_S = (0.2, 1.2)
# After the storm: few changes, so that the nodes have room for backups of policies, and no deletions.
_GENTLE: Mapping[str, int] = {"deploy": 2, "start": 3, "back_up": 1, "watch": 3, "terminal": 5, "look": 2}
_GENTLE_PAUSE_S = (1.5, 4.0)
_FIRST_GENTLE = 5000  # numbers make keys and hostnames: these are beyond all of the storm
_CALM_S = (1.0, 5.0)


@dataclass(frozen=True)
class Choice:
    """One action of a user.

    Attributes:
        number: of the action among this user's.
        user: which of the users.
        pause: seconds to wait before it.
        action: one of `ACTIONS`.
        pick: 0 to 1, chooses among what is there.
        value: a number for what needs one.
        resend: whether an answer that does not come is asked for again with the same key.
    """

    number: int
    user: int
    pause: float
    action: str
    pick: float
    value: int
    resend: bool

    @property
    def key(self) -> str:
        """The Idempotency-Key, and what hostnames are made of."""
        return f"u{self.user}-{self.number:04d}"


@dataclass(frozen=True)
class Blow:
    """Something that strikes the platform.

    Attributes:
        at: seconds after the beginning.
        kind: one of `BLOWS`, or `outage`, `silence` (of a copy), `verify`, `lull`, or an ambush: `ambush_kill` kills the worker
            of the next operation of a kind, `ambush_outage` takes Proxmox away meanwhile.
        target: the process, link or node; of an outage how Proxmox is away, `refused` or `silent`; a lock's name; of an
            ambush the kind of the operation.
        seconds: how long it lasts.
        rule: of `/_sim/faults`.
        pick: 0 to 1, chooses the container to lock among those that are there.
    """

    at: float
    kind: str
    target: str
    seconds: float = 0.0
    rule: Mapping[str, Any] = field(default_factory=dict)
    pick: float = 0.0


def choose_way(seed: int) -> str:
    """How commands reach containers: by SSH with root's password, or by consoles with an API token."""
    return random.Random(f"{seed} way").choice(("ssh", "console"))


def choose_actions(seed: int, *, user: int, count: int) -> list[Choice]:
    """What a user does, in order; only the first user is an administrator, who alone may adopt and has policies."""
    rng = random.Random(f"{seed} user {user}")
    weights = {name: 0 if name in _ADMINISTRATORS and user else weight for name, weight in ACTIONS.items()}
    return _choose_actions(rng, weights, user=user, numbers=range(count), pause_s=_PAUSE_S)


def choose_gentle_actions(seed: int, *, user: int, count: int) -> list[Choice]:
    """What a user does after the storm, in order: nothing that ends what policies are about."""
    rng = random.Random(f"{seed} overtime of user {user}")
    numbers = range(_FIRST_GENTLE, _FIRST_GENTLE + count)
    return _choose_actions(rng, _GENTLE, user=user, numbers=numbers, pause_s=_GENTLE_PAUSE_S)


def _choose_actions(
    rng: random.Random,
    weights: Mapping[str, int],
    *,
    user: int,
    numbers: range,
    pause_s: tuple[float, float],
) -> list[Choice]:
    return [
        Choice(
            number=number,
            user=user,
            pause=rng.uniform(*pause_s),
            action=rng.choices(list(weights), list(weights.values()))[0],
            pick=rng.random(),
            value=rng.randrange(1 << 16),
            resend=rng.random() < 0.6,
        )
        for number in numbers
    ]


def choose_blows(
    seed: int,
    *,
    seconds: float,
    processes: Sequence[str],
    nodes: Sequence[str],
    links: Sequence[str] = LINKS,
) -> list[Blow]:
    """What strikes within `seconds`, in order."""
    rng = random.Random(f"{seed} blows")
    blows: list[Blow] = []
    at = rng.uniform(2, 5)
    while at < seconds:
        blows.append(_choose_blow(rng, at, processes, nodes, links=links))
        at += rng.uniform(*_CALM_S)
    return blows


def choose_trials(
    seed: int, *, seconds: float, outage_s: float = OUTAGE_S, silence_s: float = SILENCE_S
) -> list[Blow]:
    """What every storm meets: an outage of Proxmox and copies that print nothing for longer than limits and attempts,
    locks of others, consoles that lose what is typed first; in order.
    """
    rng = random.Random(f"{seed} trials")
    period = max(_PERIOD_S, 3 * outage_s)
    trials: list[Blow] = []
    for number in range(max(1, int(seconds / period))):
        # In its first half, so that it ends before users do and policies have time for what they could not do.
        begins = number * period + rng.uniform(0.1, 0.4) * min(period, seconds)
        trials.append(Blow(begins, "outage", rng.choice(("refused", "silent")), outage_s))
        for kind, target, length in (
            ("deaf", "ssh", 30.0),
            ("lock", LOCKS[0], 15.0),
            ("lock", LOCKS[1], 15.0),
        ):
            at = number * period + rng.uniform(0.0, 0.9) * min(period, seconds)
            trials.append(Blow(at, kind, target, length, pick=rng.random()))
        for kind in COPIES:
            at = number * period + rng.uniform(0.0, 0.4) * min(period, seconds)
            rule = {"kind": "task_hang", "match": {"type": kind}, "times": 1, "seconds": silence_s}
            trials.append(Blow(at, "silence", "proxmox", rule=rule))
        # Faults that wait for requests would go on for as long as nobody sends these: a lull ends them.
        trials.append(Blow(number * period + ACTING * min(period, seconds), "lull", "proxmox"))
        for kind, target in _AMBUSHES:
            at = number * period + rng.uniform(0.0, 0.7) * min(period, seconds)
            trials.append(Blow(at, kind, target, AWAY_S))
    trials += [Blow(_VERIFY_S * number, "verify", "proxmox") for number in range(1, int(seconds / _VERIFY_S))]
    return sorted(trials, key=lambda one: one.at)


def _choose_blow(
    rng: random.Random, at: float, processes: Sequence[str], nodes: Sequence[str], *, links: Sequence[str]
) -> Blow:
    kind = rng.choices(list(BLOWS), list(BLOWS.values()))[0]
    target, length = rng.choice(processes), rng.random()
    link, rule = rng.choice(links), _choose_rule(rng, nodes)
    match kind:
        case "kill" | "restart":
            return Blow(at, kind, target)
        case "pause":  # now and then longer than a lease of 8 seconds
            return Blow(at, kind, target, 0.5 + 13 * length**2)
        case "cut":
            return Blow(at, kind, link)
        case "hold":
            return Blow(at, kind, link, 0.5 + 6 * length)
        case "delay":
            return Blow(at, kind, link, 2 + 6 * length)
        case "offline":
            return Blow(at, kind, rng.choice(list(nodes)), 2 + 8 * length)
        case "lock":
            return Blow(at, kind, rng.choice(LOCKS), 3 + 12 * length, pick=rng.random())
        case "deaf":
            return Blow(at, kind, "ssh", 10 + 20 * length)
        case _:
            return Blow(at, kind, "proxmox", rule=rule)


def _choose_rule(rng: random.Random, nodes: Sequence[str]) -> dict[str, Any]:
    """A fault of Proxmox; each strikes a few times and is over."""
    kind = rng.choice(_FAULTS)
    times, task = rng.randint(1, 3), rng.choice(_TASKS)
    method = rng.choice(("GET", "POST", "POST", "PUT", "DELETE"))
    rule: dict[str, Any] = {"kind": kind, "times": times, "seed": rng.randrange(1 << 16)}
    match kind:
        case "task_fail" | "storage_full":
            return rule | {"match": {"type": task}, "times": 1}
        case "task_hang":
            return rule | {"match": {"type": task}, "times": 1, "seconds": 12.0}
        case "latency":
            return rule | {"match": {}, "times": 40, "seconds": 0.4}
        case "error":
            return rule | {
                "match": {"method": method},
                "status": 500,
                "reason": "can't lock file '/run/lock' - got timeout",
            }
        case "hang":
            return rule | {"match": {"method": method}, "times": 1, "seconds": 4.0}
        case "node_down":
            return rule | {"match": {"node": rng.choice(list(nodes))}, "times": 12}
        case _:
            return rule | {"match": {"method": method}}
