"""The table, the JSON file, the chart, and the comparison with a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tests.bench.rounds import Result

ALLOWED_LOSS = 0.15
_BAR, _LEFT, _WIDTH = 18, 220, 420


def render_table(results: Sequence[Result], memory: Mapping[str, float]) -> str:
    """A table for people."""
    lines = [
        f"{'case':28}{'c':>4}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'tail':>6}{'ratio':>8}{'by CPU':>8}{'at least':>9}  CPU µs"
    ]
    for each in results:
        cpu = ", ".join(f"{name} {value:.0f}" for name, value in each.cpu_us.items())
        mark = " !" if each.is_short else ""
        least = f"{each.target:.2f}" if each.target else ""
        lines.append(
            f"{each.name:28}{each.connections:4}{each.rate:9.0f}{each.p50_ms:9.2f}{each.p99_ms:9.2f}{each.tail:6.1f}"
            f"{each.ratio:8.2f}{each.cpu_ratio:8.2f}{least:>9}  {cpu}{mark}"
        )
    lines += ["", f"memory, idle (MiB): {sum(memory.values()):.0f}"]
    lines.append(", ".join(f"{name} {value:.0f}" for name, value in memory.items()))
    return "\n".join(lines)


def write_json(file: Path, results: Sequence[Result], memory: Mapping[str, float], **about: Any) -> None:
    """A file for `compare`."""
    content = {**about, "memory_mib": memory, "results": [each.as_json() for each in results]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_chart(file: Path, results: Sequence[Result]) -> None:
    """A bar for each ratio, with a mark where it must be at least."""
    height = len(results) * (_BAR + 4) + 10
    rows = [_render_bar(number, each) for number, each in enumerate(results)]
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 80}" height="{height}" '
        f'font-family="sans-serif" font-size="12">{"".join(rows)}</svg>\n',
        encoding="utf-8",
    )


def _render_bar(number: int, result: Result) -> str:
    top = number * (_BAR + 4) + 5
    width = min(result.ratio, 1.2) / 1.2 * _WIDTH
    color = "#c0392b" if result.is_short else "#2c7fb8"
    name = escape(f"{result.name} (c={result.connections})")
    mark = ""
    if result.target:
        at = _LEFT + result.target / 1.2 * _WIDTH
        mark = f'<line x1="{at:.0f}" x2="{at:.0f}" y1="{top}" y2="{top + _BAR}" stroke="black"/>'
    return (
        f'<text x="{_LEFT - 6}" y="{top + 13}" text-anchor="end">{name}</text>'
        f'<rect x="{_LEFT}" y="{top}" width="{width:.0f}" height="{_BAR}" fill="{color}"/>{mark}'
        f'<text x="{_LEFT + width + 4:.0f}" y="{top + 13}">{result.ratio:.2f}</text>'
    )


def compare_results(now: Mapping[str, Any], baseline: Mapping[str, Any]) -> list[str]:
    """A sentence for each ratio that fell by more than 15 %, and for each case that is gone.

    Rates swing from round to round where others use the machine, so a ratio by rate has fallen when three rounds of
    four were that much worse than the baseline's median. By CPU, which hardly swings, the medians are compared.
    """
    found = {(each["name"], each["connections"]): each for each in now["results"]}
    faults: list[str] = []
    for each in baseline["results"]:
        key = (each["name"], each["connections"])
        if key not in found:
            faults.append(f"{key[0]} (c={key[1]}) was not measured")
            continue
        for what, is_now in (("ratio", "ratio_high"), ("cpu_ratio", "cpu_ratio")):
            if found[key][is_now] < each[what] * (1 - ALLOWED_LOSS):
                by = "by CPU" if what == "cpu_ratio" else "by rate at best"
                faults.append(
                    f"{key[0]} (c={key[1]}): {found[key][is_now]:.2f} of the floor {by}, {each[what]:.2f} before"
                )
    return faults
