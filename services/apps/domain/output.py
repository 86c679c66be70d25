"""Output of apps: what their services, or the systems of adopted containers, wrote."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import yaml

from services.apps.domain.compose import COMPOSE
from services.apps.domain.entities import App
from services.apps.domain.errors import NotAvailableError
from services.common.core.errors import invalid_field
from services.common.core.text import make_printable

DEFAULT_LINES = 100  # of a request that names no number: a screen or two
MOST_LINES = 1000  # of one read
MAX_BYTES = 1 << 20  # of one read: 1,000 lines of 1 KiB
MAX_LINE = 4000  # characters shown of one line: a log viewer shows no more at once
_END = "proximity-exit "  # begins the last line of a read: a pipe would hide the exit status
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_COMPOSE_LINE = re.compile(r"(?P<prefix>[A-Za-z0-9][A-Za-z0-9_.-]*) +\| ?(?P<rest>.*)", re.DOTALL)
_COMPOSE_TIME = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?(?P<text>.*)", re.DOTALL
)
_JOURNAL_LINE = re.compile(r"(?P<time>\d{9,11}\.\d{1,9}) (?P<text>.*)", re.DOTALL)
_SEPARATOR = "\x1e"  # in no line, so that no value of several lines joins two of them


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLine:
    """A line that an app wrote.

    Attributes:
        at: as the source writes it, to the nanosecond, to resume after; empty where the source writes no times.
        service: that wrote it; empty: the system, or Docker Compose itself.
    """

    text: str
    service: str = ""
    time: datetime | None = None
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRequest:
    """Request for lines of the output of an app; `since` as RFC 3339, empty: from any time."""

    service: str = ""
    tail: int
    since: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOutput:
    """Lines that an app wrote, oldest first; `source` is compose or system."""

    app_id: str
    source: str
    services: tuple[str, ...]
    lines: tuple[OutputLine, ...]
    is_truncated: bool = False


def find_source(app: App) -> str:
    """Return where the output of an app is: compose or system.

    Raises:
        NotAvailableError: nothing records it.
    """
    if app.runtime == "oci":
        raise NotAvailableError(
            f"{app.id} has no output: its image is the container, and Proxmox records nothing of what such containers "
            "write; deploy it with runtime compose to see its output"
        )
    return "compose" if app.runtime == "compose" else "system"


def list_services(app: App) -> tuple[str, ...]:
    """Return the names of the services of an app's definition."""
    return tuple(_read_services(app))


def check_service(app: App, service: str) -> None:
    """Refuse a service that the app's definition does not have.

    Raises:
        InvalidError: it has none of that name.
    """
    known = list_services(app)
    if service and service not in known:
        has = f"it has {', '.join(known)}" if known else "it has no services"
        raise invalid_field("service", f"{app.id} has no service {service!r}; {has}")


def make_read(source: str, wanted: OutputRequest) -> tuple[str, ...]:
    """Return the command that reads output, at most `MAX_BYTES` of it, the newest."""
    tail, since = str(wanted.tail), wanted.since
    if source == "compose":
        words = ["docker", "compose", "-f", COMPOSE, "logs", "--no-color", "--timestamps", "--tail", tail]
        words += ["--since", since] if since else []
        words += [wanted.service] if wanted.service else []
        read = shlex.join(words)
    else:
        words = ["journalctl", "--no-pager", "-q", "-o", "short-unix", "--no-hostname", "-n", tail]
        # journalctl has a notation of its own for times.
        words += ["--since", f"@{datetime.fromisoformat(since).timestamp():.6f}"] if since else []
        files = " || ".join(f"tail -n {tail} /var/log/{name} 2>/dev/null" for name in ("syslog", "messages"))
        read = f"if command -v journalctl >/dev/null; then {shlex.join(words)}; else {files} || true; fi"
    # Bounded inside the container: whatever it writes, no more crosses the network.
    return ("sh", "-c", f'{{ {read}; echo "{_END}$?"; }} 2>&1 | tail -c {MAX_BYTES}')


def parse_output(app: App, source: str, *, text: str, wanted: OutputRequest) -> AppOutput:
    """Parse what `make_read` printed: lines in the order of their times, with the secret values of the app masked.

    Raises:
        NotAvailableError: the command failed, with its last line.
    """
    is_cut = len(text.encode(errors="replace")) >= MAX_BYTES
    rows = text.replace("\r\n", "\n").split("\n")
    rows = rows[1:] if is_cut else rows  # the first one may be half a line
    rows, status = _split_status(rows)
    shown = _SEPARATOR.join(_clean(row) for row in rows)
    masked = app.hide_secrets(shown).split(_SEPARATOR) if rows else []
    if status != 0:
        why = next((row for row in reversed(masked) if row.strip()), "it printed nothing")
        raise NotAvailableError(f"the output of {app.id} cannot be read: {why[:500]}")
    services = _read_services(app) if source == "compose" else {}
    parse = _parse_compose_line if source == "compose" else _parse_system_line
    lines = _sort([parse(row, services) for row in masked if row])
    last = lines[-wanted.tail :]
    # Each service has a tail of its own.
    is_truncated = is_cut or len(lines) > wanted.tail or any(len(line.text) > MAX_LINE for line in last)
    return AppOutput(
        app_id=app.id,
        source=source,
        services=tuple(services),
        lines=tuple(replace(line, text=line.text[:MAX_LINE]) for line in last),
        is_truncated=is_truncated,
    )


def _read_services(app: App) -> dict[str, str]:
    """Return the services of an app's definition, with the names that their containers have been given, if any."""
    document: Any = yaml.safe_load(app.rendering.compose) or {}
    services: Any = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        return {}
    return {
        str(name): str(one.get("container_name") or "") if isinstance(one, dict) else ""
        for name, one in services.items()
    }


def _split_status(rows: Sequence[str]) -> tuple[list[str], int]:
    """Return the lines before the last one, which has the exit status; a read that broke off has failed."""
    for index in range(len(rows) - 1, -1, -1):
        if rows[index].startswith(_END):
            status = rows[index].removeprefix(_END).strip()
            return list(rows[:index]), int(status) if status.isdigit() else 1
    return list(rows), 1


def _clean(row: str) -> str:
    """Remove the escape sequences of terminals, inside which a secret value would not be found, and other controls."""
    visible = _TERMINAL.sub("", row).rstrip("\r").rpartition("\r")[2]  # a progress bar overwrites its line
    return make_printable(visible.replace("\t", "    "))


def _parse_compose_line(row: str, services: Mapping[str, str]) -> OutputLine:
    found = _COMPOSE_LINE.fullmatch(row)
    if found is None:
        return OutputLine(text=row)
    service = _find_service(found["prefix"], services)
    timed = _COMPOSE_TIME.fullmatch(found["rest"])
    if timed is None:
        return OutputLine(text=found["rest"] if service else row, service=service)
    time = datetime.fromisoformat(_shorten_fraction(timed["time"])).astimezone(UTC)
    return OutputLine(text=timed["text"], service=service, time=time, at=timed["time"])


def _find_service(prefix: str, services: Mapping[str, str]) -> str:
    """Return the service of a line's prefix: the name of its container without the project's."""
    given = next((name for name, container in services.items() if container == prefix), "")
    name, _, number = prefix.rpartition("-")
    return given or (name if number.isdigit() and name in services else "")


def _parse_system_line(row: str, _services: Mapping[str, str]) -> OutputLine:
    found = _JOURNAL_LINE.fullmatch(row)
    if found is None:
        return OutputLine(text=row)
    time = datetime.fromtimestamp(float(found["time"]), UTC)
    return OutputLine(text=found["text"], time=time, at=time.isoformat().replace("+00:00", "Z"))


def _shorten_fraction(text: str) -> str:
    """Return a time with microseconds: Python knows no nanoseconds."""
    return re.sub(r"\.(\d{1,9})", lambda found: f".{found[1][:6]:0<6}", text)


def _sort(lines: Sequence[OutputLine]) -> list[OutputLine]:
    """Return the lines by time: Docker Compose prints service after service. A line without one stays behind its own."""
    keyed, last = [], datetime.min.replace(tzinfo=UTC)
    for line in lines:
        last = line.time or last
        keyed.append((last, line))
    return [line for _, line in sorted(keyed, key=lambda pair: pair[0])]
