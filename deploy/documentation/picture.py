"""The picture of the architecture: the arrows between services are the callers that the protos name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from html import escape

from services.registry import SERVICES, WORKERS

_WIDTH, _HEIGHT = 960, 560
_BOX, _TALL = 150, 56
_TOP, _MIDDLE, _BOTTOM = 150, 290, 470
_STYLE = (
    "text{font:14px sans-serif;fill:#1d2733}.small{font-size:11px;fill:#556}"
    "rect{fill:#eef3fb;stroke:#3b6ea8;rx:6}.outer rect{fill:#f6f6f2;stroke:#99958a}"
    "path{fill:none;stroke:#3b6ea8;marker-end:url(#tip)}.facts path{stroke:#b5812b;stroke-dasharray:5 4}"
)
_TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z" style="fill:#3b6ea8;stroke:none"/></marker>'
)


def render_picture(callers: Mapping[str, Set[str]]) -> str:
    """The picture as SVG; `callers` are the services that call each service."""
    places = {service: (20 + number * (_BOX + 42), _MIDDLE) for number, service in enumerate(SERVICES)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Clients, gateway, services, NATS, PostgreSQL and Proxmox, and who calls whom</title>",
        f"<defs>{_TIP}</defs><style>{_STYLE}</style>",
        *_draw_entrance(places),
        *_draw_calls(places, callers),
        *(_draw_box(service, _describe(service), at=place) for service, place in places.items()),
        *_draw_ground(places),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _describe(service: str) -> str:
    return "server and workers" if service in WORKERS else "server"


def _draw_entrance(places: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    yield _draw_box("browsers, REST, gRPC", "clients", at=(380, 20), kind="outer", width=200)
    yield _draw_box("Envoy", "REST to gRPC, tokens, limits", at=(380, _TOP - 30), width=200)
    yield _draw_path("M480 76 480 118")
    for x, y in places.values():
        yield _draw_path(f"M480 {_TOP + 26} {x + _BOX // 2} {y - 2}")


def _draw_calls(places: Mapping[str, tuple[int, int]], callers: Mapping[str, Set[str]]) -> Iterator[str]:
    """An arc below the boxes for each service that calls another one, deeper the further it reaches."""
    for called, who in sorted(callers.items()):
        for caller in sorted(who):
            start, end = places[caller][0] + _BOX // 2, places[called][0] + _BOX // 2
            shift = 14 if end > start else -14
            depth = _MIDDLE + _TALL + 18 + abs(end - start) // 9
            ground = _MIDDLE + _TALL
            title = f"<title>{escape(caller)} calls {escape(called)}</title>"
            arc = f"M{start + shift} {ground} C{start + shift} {depth} {end - shift} {depth} {end - shift} {ground + 2}"
            yield f"<g>{title}{_draw_path(arc)}</g>"


def _draw_ground(places: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    left, right = places[SERVICES[0]][0], places[SERVICES[-1]][0] + _BOX
    third = (right - left - 40) // 3
    grounds = (
        ("PostgreSQL or SQLite", "a schema or file for each service"),
        ("NATS JetStream", "jobs, events, revoked tokens"),
        ("Proxmox VE", "HTTPS and SSH, from inventory alone"),
    )
    for number, (title, words) in enumerate(grounds):
        yield _draw_box(title, words, at=(left + number * (third + 20), _BOTTOM), kind="outer", width=third)
    x, y = places["inventory"]
    yield _draw_path(
        f"M{x + 20} {y + _TALL} C{x + 20} {_BOTTOM} {right - third // 2} 400 {right - third // 2} {_BOTTOM - 2}"
    )
    yield f'<text x="{left}" y="{_BOTTOM - 14}" class="small">every service: its own database, and NATS by an outbox</text>'


def _draw_box(title: str, words: str, *, at: tuple[int, int], kind: str = "inner", width: int = _BOX) -> str:
    (x, y), middle = at, at[0] + width // 2
    return (
        f'<g class="{kind}"><rect x="{x}" y="{y}" width="{width}" height="{_TALL}"/>'
        f'<text x="{middle}" y="{y + 25}" text-anchor="middle">{escape(title)}</text>'
        f'<text x="{middle}" y="{y + 43}" text-anchor="middle" class="small">{escape(words)}</text></g>'
    )


def _draw_path(line: str) -> str:
    return f'<path d="{line}"/>'
